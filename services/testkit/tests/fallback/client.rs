//! Clients of the fallback transports, as plain HTTP: no SDK, no retries.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::Value;
use switchboard_testkit::{NodeProcess, PATIENCE, token, wait_until};
use tokio::time::timeout;

/// The HTTP address of a node.
pub(crate) fn http(node: &NodeProcess) -> String {
    let url = node.url().replacen("ws://", "http://", 1);
    url.trim_end_matches("/v1/ws").to_owned()
}

/// Where a client finds its session, by its `welcome`.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) peer: String,
    pub(crate) node: String,
    pub(crate) resume: String,
}

impl Place {
    pub(crate) fn of(welcome: &Value) -> Self {
        let text = |field: &str| welcome[field].as_str().unwrap().to_owned();
        Self {
            peer: text("peer"),
            node: text("node"),
            resume: text("resume_token"),
        }
    }
}

/// Sends commands for the session at `place` to the node at `base`.
pub(crate) async fn post(base: &str, place: &Place, commands: &str) -> (StatusCode, Value) {
    post_as(&place.peer, base, place, commands).await
}

/// The same with a token of another peer.
pub(crate) async fn post_as(peer: &str, base: &str, place: &Place, commands: &str) -> (StatusCode, Value) {
    let url = format!("{base}/v1/messages?session={}&node={}", place.resume, place.node);
    let request = reqwest::Client::new()
        .post(url)
        .bearer_auth(token(peer).unwrap().expose())
        .body(commands.to_owned());
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Waits until the node at `base` has given the connection of `place` up.
pub(crate) async fn detached(base: &str, place: &Place) {
    let gone = async || (post(base, place, r#"{"type":"ping"}"#).await.0 == 404).then_some(());
    wait_until("the client is detached", PATIENCE, gone)
        .await
        .unwrap();
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// An open event stream.
#[derive(Debug)]
pub(crate) struct EventStream {
    response: Response,
    text: String,
}

impl EventStream {
    /// Opens `GET /v1/events`; `query` may be empty, `last` is the browser's `Last-Event-ID`.
    pub(crate) async fn open(base: &str, peer: &str, query: &str, last: Option<&str>) -> Self {
        let token = token(peer).unwrap();
        let url = format!("{base}/v1/events?access_token={}{query}", token.expose());
        let mut request = reqwest::Client::new().get(url);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        timeout(PATIENCE, self.read()).await.unwrap()
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parse(block);
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The first event, which is `welcome`.
    pub(crate) async fn welcome(&mut self) -> Value {
        let welcome = self.next().await.unwrap();
        assert_eq!(welcome.data["type"], "welcome", "{welcome:?}");
        welcome.data
    }
}

/// The event of a block of lines; `None` for a comment or a `retry`.
fn parse(block: &str) -> Option<Event> {
    let (mut name, mut id, mut data) = ("message".to_owned(), String::new(), Vec::new());
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", value)) => name = value.to_owned(),
            Some(("id", value)) => id = value.to_owned(),
            Some(("data", value)) => data.push(value),
            Some(_) | None => {}
        }
    }
    (!data.is_empty()).then(|| Event {
        name,
        id,
        data: serde_json::from_str(&data.join("\n")).unwrap(),
    })
}

/// One poll: the batch, and its frames.
pub(crate) async fn poll(base: &str, peer: &str, query: &str) -> (u64, Vec<Value>) {
    let request = reqwest::Client::new()
        .get(format!("{base}/v1/poll?{query}"))
        .bearer_auth(token(peer).unwrap().expose())
        .timeout(PATIENCE + Duration::from_secs(30));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let batch = answer.headers()["switchboard-batch"].to_str().unwrap();
    (batch.parse().unwrap(), answer.json().await.unwrap())
}
