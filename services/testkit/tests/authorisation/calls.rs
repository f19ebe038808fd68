//! One cell of the calls over HTTP.

use serde_json::Value;
use switchboard_testkit::{PATIENCE, wait_until};

use crate::{
    scene::{Scene, Victim, outcome},
    table::Row,
    tokens::{token, until_s},
};

/// Calls with a token of this kind, and says how it ended.
pub(crate) async fn run(scene: &Scene, row: &Row, kind: &str) -> String {
    let (call, with, shows) = (row.what[0], row.what[1], row.what[2]);
    let (method, path) = call.split_once(' ').unwrap();
    let peer = scene.new_peer(kind);
    let token = token(kind, &peer);
    let victim = if method == "DELETE" {
        Some(scene.victim().await)
    } else {
        None
    };
    let target = victim.as_ref().map_or("bob", |victim| &victim.name);
    let mut with = with
        .replace("{kind}", kind)
        .replace("{name}", &kind.replace(' ', "-"))
        .replace("{until}", &until_s().to_string())
        .replace("{bob}", &scene.session_of_bob);
    if with.contains("{own}") {
        with = with.replace("{own}", &own_session(scene, &peer).await);
    }
    let (query, body) = with.split_at(with.find('{').unwrap_or(with.len()));
    let path = path.replace("{peer}", target).replace("{room}", "lobby");
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
    let shown = answer
        .pointer(shows)
        .filter(|_| !shows.is_empty() && status.starts_with('2'));
    let said = match shown {
        Some(Value::String(text)) => format!("{status} {text}"),
        Some(other) => format!("{status} {other}"),
        None => status,
    };
    match victim {
        Some(victim) => checked(scene, victim, row, said).await,
        None => said,
    }
}

/// The answer to a removal, with a complaint if something else became of the victim.
async fn checked(scene: &Scene, mut victim: Victim, row: &Row, said: String) -> String {
    let is_kick = !row.what[0].contains("{room}");
    let is_done = said == if is_kick { "200 true" } else { "204" };
    if is_done {
        let has_left = async || (!scene.has_in_room(&victim).await).then_some(());
        let left = wait_until("the victim leaves the room", PATIENCE, has_left).await;
        left.unwrap();
    } else if !scene.has_in_room(&victim).await {
        return format!("{said}, but the victim is not in the room");
    }
    let is_right = if is_done && is_kick {
        victim.is_kicked().await
    } else {
        victim.answers().await
    };
    if is_right {
        said
    } else {
        format!("{said}, but not so the victim's connection")
    }
}

/// The resume token of a session that the peer has opened with its own token.
async fn own_session(scene: &Scene, peer: &str) -> String {
    let frames = scene.poll("", token("own", peer).as_deref()).await.unwrap();
    frames[0]["resume_token"].as_str().unwrap().to_owned()
}
