//! One cell of the commands, over a WebSocket and over long polling.

use serde_json::{Deserializer, Value};
use switchboard_client::ConnectError;
use switchboard_protocol::ServerFrame;
use switchboard_testkit::PATIENCE;

use crate::{
    scene::{Scene, outcome},
    table::Row,
    tokens::token,
};

/// What one cell does: the token of its connection, and its frames.
struct Plan {
    token: Option<String>,
    frames: Vec<Value>,
}

fn plan(scene: &Scene, row: &Row, kind: &str) -> Plan {
    let peer = scene.new_peer(kind);
    let of_kind = token(kind, &peer);
    let own = token("own", &peer).unwrap();
    let text = row.what[1];
    let in_frame = text.contains("{token}");
    let text = text
        .replace("{kind}", kind)
        .replace("{own}", &own)
        .replace("{token}", of_kind.as_deref().unwrap_or_default());
    let frames = Deserializer::from_str(&text).into_iter();
    Plan {
        token: if in_frame { Some(own) } else { of_kind },
        frames: frames.map(Result::unwrap).collect(),
    }
}

/// The answer to the last frame. Each frame waits for the answer to the one before.
pub(crate) async fn over_websocket(scene: &Scene, row: &Row, kind: &str) -> String {
    let plan = plan(scene, row, kind);
    let mut client = match scene.connect(plan.token.as_deref()).await {
        Ok(client) => client,
        Err(ConnectError::Refused { status, problem, .. }) => {
            return format!("{status} {}", problem.unwrap().code);
        }
        Err(error) => panic!("{error}"),
    };
    let mut last = Value::Null;
    for frame in plan.frames {
        client.send_text(frame.to_string()).await.unwrap();
        if let Some(id) = frame["id"].as_u64() {
            let asked = |frame: &ServerFrame| match frame {
                ServerFrame::Event(event) if event.id() == Some(id) => serde_json::to_value(event).ok(),
                ServerFrame::Event(_) | ServerFrame::Message(_) => None,
            };
            last = client.expect(PATIENCE, asked).await.unwrap();
        }
    }
    client.close().await;
    word(&last)
}

/// The same over long polling and `POST /v1/messages`.
pub(crate) async fn over_polling(scene: &Scene, row: &Row, kind: &str) -> String {
    let plan = plan(scene, row, kind);
    let token = plan.token.as_deref();
    let opened = match scene.poll("", token).await {
        Ok(frames) => frames,
        Err(refusal) => return refusal,
    };
    let session = opened[0]["resume_token"].as_str().unwrap();
    let path = format!("/v1/messages?session={session}");
    let (mut last, mut batch) = (Value::Null, 1);
    for frame in plan.frames {
        let sent = scene.request("POST", &path, token).body(frame.to_string());
        assert_eq!(outcome(sent).await.0, "202");
        while !frame["id"].is_null() && last["id"] != frame["id"] {
            let query = format!("resume={session}&batch={batch}");
            let frames = scene.poll(&query, token).await.unwrap();
            assert!(!frames.is_empty(), "no answer to {frame}");
            batch += 1;
            let answer = frames.into_iter().find(|answer| answer["id"] == frame["id"]);
            last = answer.unwrap_or(last);
        }
    }
    word(&last)
}

/// What an answer says: the code of an error, the status of a receipt, the state of the peer, or else its type.
fn word(answer: &Value) -> String {
    let said = [
        &answer["code"],
        &answer["status"],
        &answer["peers"][0]["state"],
        &answer["type"],
    ];
    said.into_iter().find_map(Value::as_str).unwrap().to_owned()
}
