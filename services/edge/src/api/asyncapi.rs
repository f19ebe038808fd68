//! The AsyncAPI 3.0 document of the WebSocket, generated from the types of the wire: `GET /v1/asyncapi.json`. A test
//! compares it with `docs/asyncapi.json`. It is built when somebody asks for it first. Not the HTTP calls
//! (`backend::openapi`).

use std::sync::LazyLock;

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};
use switchboard_protocol::{Command, Event, Joined, PeerJoined, SUBPROTOCOL, SendCommand, ServerMessage};
use utoipa::{PartialSchema, ToSchema};

/// The address of a name in the document.
const SCHEMAS: &str = "#/components/schemas/";

static TEXT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string_pretty(&document()).unwrap_or_default());

/// The document.
pub(crate) fn text() -> &'static str {
    &TEXT
}

pub(crate) async fn get() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], text()).into_response()
}

/// The messages of one direction: each name with its schema.
type Messages = Vec<(String, Value)>;

fn document() -> Value {
    let commands = keyed("command", commands());
    let events = keyed("event", events());
    let mut components = Map::new();
    let mut channel = Map::new();
    for (key, name, schema) in commands.iter().chain(&events) {
        let summary = schema["description"].clone();
        channel.insert(
            key.clone(),
            json!({ "$ref": format!("#/components/messages/{key}") }),
        );
        components.insert(
            key.clone(),
            json!({ "name": name, "summary": summary, "payload": schema }),
        );
    }
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Switchboard WebSocket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The frames between a client and a node, one JSON object each. docs/protocol.md has their meaning.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": { "session": {
            "address": "/v1/ws",
            "description": format!("A WebSocket with the subprotocol `{SUBPROTOCOL}`."),
            "messages": channel,
            "bindings": { "ws": { "method": "GET", "query": query() } },
        } },
        "operations": {
            "commands": operation("receive", "A client sends commands.", &commands),
            "events": operation("send", "The node sends events, and the messages of other peers.", &events),
        },
        "components": { "messages": components, "schemas": named_schemas() },
    });
    drop_null(&mut document);
    document
}

/// A command and an event may have the same name, so the direction is part of the key.
fn keyed(direction: &str, messages: Messages) -> Vec<(String, String, Value)> {
    let messages = messages.into_iter();
    messages
        .map(|(name, schema)| (format!("{direction}-{name}"), name, schema))
        .collect()
}

fn operation(action: &str, summary: &str, messages: &[(String, String, Value)]) -> Value {
    let messages = messages.iter();
    let messages = messages.map(|(key, ..)| json!({ "$ref": format!("#/channels/session/messages/{key}") }));
    json!({
        "action": action,
        "channel": { "$ref": "#/channels/session" },
        "summary": summary,
        "messages": messages.collect::<Vec<_>>(),
    })
}

/// The query of the handshake.
fn query() -> Value {
    json!({
        "type": "object",
        "properties": {
            "acks": { "type": "string", "enum": ["socket", "client"], "default": "socket" },
            "resume": { "type": "string", "description": "`resume_token` of an earlier `welcome`." },
            "seen": { "type": "integer", "minimum": 0, "description": "The last `seq` that the client has." },
            "region": { "type": "string", "description": "Where the client is, for TURN servers that are near." },
            "access_token": { "type": "string", "description": "The token, if no header carries it." },
        },
    })
}

/// What a client sends. `send` stands for the five kinds of message.
fn commands() -> Messages {
    let mut messages = vec![named::<SendCommand<'_>>("send")];
    messages.extend(variants::<Command<'_>>());
    messages
}

/// What a node sends. `message` stands for the five kinds of message.
fn events() -> Messages {
    let mut messages = vec![named::<ServerMessage>("message")];
    messages.extend(variants::<Event>());
    // A client reads these two by hand, so the derived schema of `Event` leaves them out.
    messages.push(typed::<Joined>("joined"));
    messages.push(typed::<PeerJoined>("peer-joined"));
    messages
}

/// The variants of an enum whose member `type` names them.
fn variants<T: PartialSchema>() -> Messages {
    let schema = value(&T::schema());
    let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let name = |schema: &Value| {
        let parts = schema["allOf"].as_array().into_iter().flatten().chain([schema]);
        let mut names = parts.filter_map(|part| part["properties"]["type"]["enum"][0].as_str());
        names.next_back().unwrap_or_default().to_owned()
    };
    variants
        .into_iter()
        .map(|schema| (name(&schema), schema))
        .collect()
}

fn named<T: PartialSchema>(name: &str) -> (String, Value) {
    (name.to_owned(), value(&T::schema()))
}

/// A struct that is a frame together with its `type`.
fn typed<T: PartialSchema + ToSchema>(name: &str) -> (String, Value) {
    let own = json!({ "$ref": format!("{SCHEMAS}{}", T::name()) });
    let tag = json!({
        "type": "object",
        "required": ["type"],
        "properties": { "type": { "type": "string", "enum": [name] } },
    });
    let description = value(&T::schema())["description"].clone();
    (
        name.to_owned(),
        json!({ "description": description, "allOf": [own, tag] }),
    )
}

/// The schemas that others refer to.
fn named_schemas() -> Map<String, Value> {
    let mut found = Vec::new();
    Command::schemas(&mut found);
    SendCommand::schemas(&mut found);
    Event::schemas(&mut found);
    ServerMessage::schemas(&mut found);
    Joined::schemas(&mut found);
    PeerJoined::schemas(&mut found);
    found.push((Joined::name().into(), Joined::schema()));
    found.push((PeerJoined::name().into(), PeerJoined::schema()));
    let named = found.into_iter().map(|(name, schema)| (name, value(&schema)));
    // The derived schema of an error code has no meanings, and close codes have none.
    let tables = [
        ("ErrorCode", tables::error_codes()),
        ("CloseCode", tables::close_codes()),
    ];
    named
        .chain(tables.map(|(name, schema)| (name.to_owned(), schema)))
        .collect()
}

fn value(schema: &impl serde::Serialize) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

/// A member without a value is left out of a frame; none is `null`.
fn drop_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(options)) = members.get_mut("oneOf") {
                options.retain(|option| option["type"] != "null");
                if let [only] = options.as_slice() {
                    let only = only.clone();
                    members.remove("oneOf");
                    members.extend(only.as_object().cloned().unwrap_or_default());
                }
            }
            members.values_mut().for_each(drop_null);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

mod tables;
#[cfg(test)]
mod tests;
