//! `switchboard webhooks`: what an operator sees and does of webhooks, asked of a running node. Not the answers themselves
//! (`ops::webhooks`).

use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::http::{Method, Uri};
use serde::Deserialize;

use super::{
    operator::{self, Target},
    ops_port::{self, Request},
};
use crate::cli::{Webhooks, WebhooksCommand};

/// The longest answer read, in bytes: 1,000 events of 1 KiB, and room for their reasons.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// How long one answer may take: as long as the node gives a connection to its operations port.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The answer of `GET /webhooks`.
#[derive(Deserialize)]
struct Status {
    endpoints: Vec<Endpoint>,
    #[serde(default)]
    outlives_process: bool,
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    events: u64,
    oldest_ms: u64,
    dead_events: u64,
}

/// The answer of `GET /webhooks/<name>/dead`.
#[derive(Deserialize)]
struct Dead {
    dead_events: Vec<DeadEvent>,
}

#[derive(Deserialize)]
struct DeadEvent {
    id: String,
    reason: String,
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    timestamp: String,
    data: Data,
}

/// Whom an event is about.
#[derive(Deserialize)]
struct Data {
    tenant: String,
    peer: Option<String>,
    room: Option<String>,
}

/// The answer of `POST /webhooks/<name>/replay`.
#[derive(Deserialize)]
struct Replayed {
    replayed: u64,
}

pub(super) fn run(webhooks: &Webhooks) -> anyhow::Result<()> {
    let target = match &webhooks.url {
        Some(url) => Target::given(&webhooks.operator, url)?,
        None => Target::configured(&webhooks.operator)?,
    };
    let call = |method, path: &str, needs_token| call(webhooks, &target, method, path, needs_token);
    let body = match &webhooks.command {
        None => call(Method::GET, "/webhooks", false)?,
        Some(WebhooksCommand::Dead { name, limit }) => {
            let path = format!("/webhooks/{name}/dead?limit={limit}");
            call(Method::GET, &path, true)?
        }
        Some(WebhooksCommand::Replay { name, id }) => {
            let id = id.as_ref().map(|id| format!("?id={id}")).unwrap_or_default();
            let path = format!("/webhooks/{name}/replay{id}");
            call(Method::POST, &path, true)?
        }
    };
    if webhooks.json {
        println!("{}", body.trim_end());
        return Ok(());
    }
    let text = match &webhooks.command {
        None => table(&parse(&body)?),
        Some(WebhooksCommand::Dead { name, .. }) => lines(name, &parse(&body)?),
        Some(WebhooksCommand::Replay { name, .. }) => replayed(name, &parse(&body)?),
    };
    println!("{text}");
    Ok(())
}

/// The body of a 200. Each other answer is an error that says what to change.
fn call(
    webhooks: &Webhooks,
    target: &Target,
    method: Method,
    path: &str,
    needs_token: bool,
) -> anyhow::Result<String> {
    let url: Uri = ops_port::url(&format!("{}{path}", target.root))?;
    let token = needs_token
        .then(|| operator::token(&webhooks.operator))
        .transpose()?;
    let request = Request {
        method,
        token: token.as_ref(),
        ..Request::get(&url, &target.trust, MAX_ANSWER_BYTES)
    };
    let answer = ops_port::ask(&request, Instant::now() + ANSWER_WITHIN);
    let answer =
        answer.with_context(|| format!("no node answers at {url}; --url or --config says where one is"))?;
    operator::body(&url, answer)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a str) -> anyhow::Result<T> {
    serde_json::from_str(body).context("the answer is not that of this version; --json prints it as it is")
}

fn table(status: &Status) -> String {
    if status.endpoints.is_empty() {
        return "this node has no webhooks; [[webhooks.endpoints]] in its configuration adds one".into();
    }
    let names = status.endpoints.iter().map(|endpoint| endpoint.name.len());
    let width = names.max().unwrap_or_default().max("ENDPOINT".len());
    let mut text = format!(
        "{:width$}  {:>8}  {:>9}  {:>8}",
        "ENDPOINT", "WAITING", "OLDEST", "GIVEN UP"
    );
    for endpoint in &status.endpoints {
        let seconds = Duration::from_millis(endpoint.oldest_ms).as_secs_f64();
        text += &format!(
            "\n{:width$}  {:>8}  {:>9}  {:>8}",
            endpoint.name,
            endpoint.events,
            format!("{seconds:.1} s"),
            endpoint.dead_events
        );
    }
    if !status.outlives_process {
        text += "\nEvents are in the memory of the node: those that wait end with it.";
    }
    if let Some(endpoint) = status.endpoints.iter().find(|endpoint| endpoint.dead_events > 0) {
        text += &format!(
            "\nSee the events that were given up: switchboard webhooks dead {}",
            endpoint.name
        );
    }
    text
}

fn lines(name: &str, dead: &Dead) -> String {
    if dead.dead_events.is_empty() {
        return format!("no event of {name} was given up");
    }
    let line = |dead: &DeadEvent| {
        let Event {
            r#type,
            timestamp,
            data,
        } = &dead.event;
        let who = [Some(&data.tenant), data.room.as_ref(), data.peer.as_ref()];
        let who: Vec<_> = who.into_iter().flatten().map(String::as_str).collect();
        format!(
            "{}  {timestamp}  {type}  {}  {}",
            dead.id,
            who.join("/"),
            dead.reason
        )
    };
    let lines: Vec<_> = dead.dead_events.iter().map(line).collect();
    lines.join("\n")
}

fn replayed(name: &str, answer: &Replayed) -> String {
    match answer.replayed {
        0 => format!("no event of {name} was given up"),
        1 => format!("1 event is sent to {name} again"),
        count => format!("{count} events are sent to {name} again"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn the_table_has_one_line_for_each_endpoint_and_says_what_to_do_next() {
        let body = r#"{"endpoints":[
            {"name":"app","events":12,"oldest_ms":3210,"dead_events":0},
            {"name":"customer-relations","events":0,"oldest_ms":0,"dead_events":2}],"outlives_process":true}"#;
        assert_eq!(
            table(&parse(body).unwrap()),
            "ENDPOINT             WAITING     OLDEST  GIVEN UP\n\
             app                       12      3.2 s         0\n\
             customer-relations         0      0.0 s         2\n\
             See the events that were given up: switchboard webhooks dead customer-relations"
        );
        let none = table(&parse(r#"{"endpoints":[]}"#).unwrap());
        assert!(none.contains("[[webhooks.endpoints]]"), "{none}");
    }

    #[test]
    fn a_line_says_which_event_whom_it_is_about_and_why_it_was_given_up() {
        let body = r#"{"dead_events":[{"id":"msg_1","reason":"refused 10 times, at last with HTTP 500","event":
            {"type":"room.left","timestamp":"2023-11-14T22:13:20.123Z","data":
            {"tenant":"acme","room":"stage","peer":"bob","reason":"lost"}}}]}"#;
        assert_eq!(
            lines("app", &parse(body).unwrap()),
            "msg_1  2023-11-14T22:13:20.123Z  room.left  acme/stage/bob  refused 10 times, at last with HTTP 500"
        );
    }
}
