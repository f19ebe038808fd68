//! The OpenAPI 3.1 document of the HTTP API, generated from the handlers: `GET /v1/openapi.json`. A test compares it with
//! `docs/openapi.json`. It is built when somebody asks for it first.

use std::sync::LazyLock;

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use utoipa::{
    OpenApi,
    openapi::{
        Components, ContentBuilder, Ref, RefOr, ResponseBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use switchboard_protocol::{PeerId, RoomId};

use super::calls;
use crate::problem::Problem;

/// What stands above the calls.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Switchboard backend API",
        description = "What an application's servers do with a token of the role `backend`. Every error is a problem \
                       document (RFC 9457) with a `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem, PeerId, RoomId)),
    security(("backend" = [])),
    tags(
        (name = "peers", description = "Who is connected, and messages to them."),
        (name = "rooms", description = "Who is in them, and messages to them."),
        (name = "revocations", description = "Tokens that are refused before their end."),
    )
)]
struct Document;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut document = Document::openapi();
    document.merge(calls().into_openapi());
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT");
    let scheme = SecurityScheme::Http(scheme.build());
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme("backend", scheme);
    let problem = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    // Every call can also fail with a token, a rate, or a body that is refused.
    let failed = ResponseBuilder::new()
        .description("The call failed; `code` says why.")
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.insert("default".into(), failed.clone().into());
            let failures = responses
                .iter_mut()
                .filter(|(status, _)| !status.starts_with('2'));
            for (_, failure) in failures {
                if let RefOr::T(failure) = failure {
                    failure
                        .content
                        .insert("application/problem+json".into(), problem.clone().into());
                }
            }
        }
    }
    document.to_pretty_json().unwrap_or_default()
});

/// The document.
pub(crate) fn text() -> &'static str {
    &TEXT
}

pub(crate) async fn get() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], text()).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use switchboard_harness::compare_document;
    use switchboard_protocol::MAX_TOKEN_ID_CHARS;

    use super::*;

    #[test]
    fn the_committed_document_is_that_of_the_handlers() {
        let command = "cargo test -p switchboard-edge committed";
        compare_document("openapi.json", text(), command).unwrap();
    }

    /// The texts in `schema`, each with its name. A payload is no text of the API, and an enumeration has no length.
    fn texts(document: &Value, name: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
        if let Some(named) = schema["$ref"].as_str() {
            let target = document.pointer(named.trim_start_matches('#')).unwrap();
            texts(document, name, target, found);
        }
        let is_text = schema["type"] == "string"
            || schema["type"]
                .as_array()
                .is_some_and(|types| types.contains(&"string".into()));
        if is_text && schema["enum"].is_null() {
            found.push((name.to_owned(), schema.clone()));
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                texts(document, name, part, found);
            }
        }
        for (member, part) in schema["properties"].as_object().into_iter().flatten() {
            if member != "payload" {
                texts(document, member, part, found);
            }
        }
    }

    #[test]
    fn every_text_that_a_call_takes_has_a_bound_that_counts_characters() {
        let document: Value = serde_json::from_str(text()).unwrap();
        let mut found = Vec::new();
        let calls = document["paths"].as_object().unwrap().values();
        for call in calls.flat_map(|path| path.as_object().unwrap().values()) {
            for parameter in call["parameters"].as_array().into_iter().flatten() {
                texts(
                    &document,
                    parameter["name"].as_str().unwrap(),
                    &parameter["schema"],
                    &mut found,
                );
            }
            let body = &call["requestBody"]["content"]["application/json"]["schema"];
            texts(&document, "body", body, &mut found);
        }
        // Any text may stand for a region: one that no region has counts as not said.
        for (name, schema) in found.iter().filter(|(name, _)| name != "region") {
            assert!(schema["maxLength"].is_u64(), "{name} has no bound: {schema}");
            // A pattern of ASCII: bytes are characters. Of the others, one is a `jti`, and one is read by its form.
            let counts_characters =
                schema["pattern"].is_string() || ["jti", "cursor"].contains(&name.as_str());
            assert!(counts_characters, "{name}: {schema}");
            if name == "jti" {
                assert_eq!(schema["maxLength"], MAX_TOKEN_ID_CHARS);
            }
        }
        for name in ["peer", "room", "prefix", "cursor", "jti", "Idempotency-Key"] {
            assert!(found.iter().any(|(text, _)| text == name), "{name}");
        }
    }
}
