//! One cell of the calls over HTTP.

use serde_json::Value;

use crate::{
    scene::{Scene, outcome},
    table::Row,
    tokens::{token, until_s},
};

/// Calls with a token of this kind, and says how it ended.
pub(crate) async fn run(scene: &Scene, row: &Row, kind: &str) -> String {
    let (call, with, shows) = (row.what[0], row.what[1], row.what[2]);
    let (method, path) = call.split_once(' ').unwrap();
    let peer = scene.new_peer(kind);
    let token = token(kind, &peer);
    let (target, _victim) = if method == "DELETE" {
        let (name, client) = scene.victim().await;
        (name, Some(client))
    } else {
        ("bob".into(), None)
    };
    let mut with = with
        .replace("{kind}", kind)
        .replace("{until}", &until_s().to_string())
        .replace("{bob}", &scene.session_of_bob);
    if with.contains("{own}") {
        with = with.replace("{own}", &own_session(scene, &peer).await);
    }
    let (query, body) = with.split_at(with.find('{').unwrap_or(with.len()));
    let path = path.replace("{peer}", &target).replace("{room}", "lobby");
    let mut request = scene.request(method, &format!("{path}{}", query.trim()), token.as_deref());
    if !body.is_empty() {
        request = request
            .header("content-type", "application/json")
            .body(body.to_owned());
    }
    if path == "/v1/ws" {
        request = request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    }
    let (status, answer) = outcome(request).await;
    match answer
        .pointer(shows)
        .filter(|_| !shows.is_empty() && status.starts_with('2'))
    {
        Some(Value::String(text)) => format!("{status} {text}"),
        Some(other) => format!("{status} {other}"),
        None => status,
    }
}

/// The resume token of a session that the peer has opened with its own token.
async fn own_session(scene: &Scene, peer: &str) -> String {
    let frames = scene.poll("", token("own", peer).as_deref()).await.unwrap();
    frames[0]["resume_token"].as_str().unwrap().to_owned()
}
