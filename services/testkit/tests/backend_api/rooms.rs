//! Rooms from the side of a backend: their members, messages to them, the removal of a member.

use reqwest::Method;
use serde_json::{Value, json, value::RawValue};
use switchboard_client::Client;
use switchboard_protocol::{
    Claims, Command, Event, JoinCommand, LeaveReason, ServerFrame, SwitchboardClaims,
};
use switchboard_testkit::{Cluster, PATIENCE, sign};

use crate::{Answer, Backend, answer, backend_claims, with_body};

const INFO: &str = r#"{"name":"Bob"}"#;

pub(super) async fn join(client: &mut Client, room: &str) {
    let info: &RawValue = serde_json::from_str(INFO).unwrap();
    let join = JoinCommand {
        room: room.into(),
        info: Some(info),
        id: Some(client.next_id()),
    };
    let joined = client.request(&Command::Join(join), PATIENCE).await.unwrap();
    assert!(matches!(joined, Event::Joined(_)), "{joined:?}");
}

pub(super) async fn remove(backend: &Backend, path: &str) -> Answer {
    answer(backend.request(Method::DELETE, path)).await
}

/// Who left, and why, if the frame says so.
pub(super) fn peer_left(frame: &ServerFrame) -> Option<(String, LeaveReason)> {
    match frame {
        ServerFrame::Event(Event::PeerLeft { peer, reason, .. }) => Some((peer.to_string(), *reason)),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    }
}

fn names(list: &Value, member: &str) -> Vec<String> {
    let list = list.as_array().unwrap();
    let mut names: Vec<_> = list
        .iter()
        .map(|entry| entry[member].as_str().unwrap().to_owned())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_lists_the_rooms_of_the_tenant_and_their_members_in_pages() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let mut eve = cluster.connect(0, "eve").await.unwrap();
    for room in ["call:1", "call:2", "call:3", "lobby"] {
        join(&mut bob, room).await;
    }
    join(&mut eve, "lobby").await;
    let (mut found, mut path) = (Vec::new(), "/v1/rooms?prefix=call:&limit=2".to_owned());
    loop {
        let page = backend.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        found.extend(names(&page.body["rooms"], "room"));
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/rooms?prefix=call:&limit=2&cursor={next}"),
            None => break,
        }
    }
    found.sort_unstable();
    assert_eq!(found, ["call:1", "call:2", "call:3"]);
    let lobby = backend.get("/v1/rooms?prefix=lobby").await;
    assert_eq!(lobby.body["rooms"], json!([{ "room": "lobby", "count": 2 }]));
    let first = backend.get("/v1/rooms/lobby?limit=1").await;
    let member = json!([{ "peer": "bob", "info": { "name": "Bob" }, "state": "online" }]);
    assert_eq!(
        (&first.body["members"], &first.body["count"]),
        (&member, &json!(2))
    );
    assert_eq!(first.body["next"], "bob");
    let second = backend.get("/v1/rooms/lobby?limit=1&cursor=bob").await;
    assert_eq!(names(&second.body["members"], "peer"), ["eve"]);
    assert!(second.body.get("next").is_none());
    assert_eq!(
        backend.get("/v1/rooms/nobody").await.says(),
        (404, "no-such-room")
    );
    assert_eq!(backend.get("/v1/rooms/a%20b").await.says(), (400, "bad-id"));
    for query in ["limit=0", "prefx=a"] {
        let refused = backend.get(&format!("/v1/rooms?{query}")).await;
        assert_eq!(refused.says(), (400, "bad-query"), "{query}");
    }
    assert_eq!(
        backend.get("/v1/rooms?prefix=a%20b").await.says(),
        (400, "bad-id")
    );
    for list in ["/v1/rooms", "/v1/rooms/lobby", "/v1/revocations"] {
        let refused = backend.get(&format!("{list}?cursor=no%20page")).await;
        assert_eq!(refused.says(), (422, "bad-cursor"), "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_room_reaches_its_members_on_all_nodes_once() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let mut members = [
        cluster.connect(0, "bob").await.unwrap(),
        cluster.connect(1, "eve").await.unwrap(),
    ];
    for member in &mut members {
        join(member, "lobby").await;
    }
    let send = async |key: &str, payload: u32| {
        let request = backend.request(Method::POST, "/v1/rooms/lobby/messages");
        let body = format!("{{\"payload\":{payload}}}");
        answer(with_body(request.header("idempotency-key", key), &body)).await
    };
    let first = send("one", 1).await;
    assert_eq!(first.says(), (200, "published"));
    let again = send("one", 1).await;
    assert_eq!((again.says(), again.is_replayed), ((200, "published"), true));
    assert_eq!(again.body["mid"], first.body["mid"]);
    assert_eq!(send("two", 2).await.says(), (200, "published"));
    for member in &mut members {
        for payload in ["1", "2"] {
            let message = member.message(PATIENCE).await.unwrap();
            assert_eq!(message.payload.get(), payload, "each arrives once, in order");
            assert_eq!(message.from.as_str(), "@backend");
            assert_eq!(message.room.as_deref(), Some("lobby"));
        }
    }
    let held = backend
        .post("/v1/rooms/lobby/messages", r#"{"payload":1,"hold_ms":1}"#)
        .await;
    assert_eq!(held.says(), (400, "bad-body"), "nothing is held for a room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_and_the_others_hear_that_it_was_kicked() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let mut eve = cluster.connect(0, "eve").await.unwrap();
    join(&mut bob, "lobby").await;
    join(&mut eve, "lobby").await;
    let path = "/v1/rooms/lobby/members/bob";
    assert_eq!(remove(&backend, path).await.status, 204);
    let left = |frame: &ServerFrame| match frame {
        ServerFrame::Event(Event::Left { id: None, reason, .. }) => Some(*reason),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    };
    assert_eq!(
        bob.expect(PATIENCE, left).await.unwrap(),
        Some(LeaveReason::Kicked)
    );
    assert_eq!(
        eve.expect(PATIENCE, peer_left).await.unwrap(),
        ("bob".to_owned(), LeaveReason::Kicked)
    );
    assert_eq!(remove(&backend, path).await.says(), (404, "not-in-room"));
    join(&mut bob, "lobby").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_acts_in_the_rooms_of_its_tenant_that_it_allows() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    join(&mut bob, "lobby").await;
    join(&mut bob, "call:1").await;
    let port = cluster.nodes[0].public_port();
    let other = Backend::at(port, sign(&backend_claims("other")).unwrap());
    assert_eq!(other.get("/v1/rooms").await.body["rooms"], json!([]));
    assert_eq!(other.get("/v1/rooms/lobby").await.says(), (404, "no-such-room"));
    assert_eq!(
        remove(&other, "/v1/rooms/lobby/members/bob").await.says(),
        (404, "not-in-room")
    );
    let claims = backend_claims("default");
    let some = Claims {
        switchboard: SwitchboardClaims {
            rooms: Some(vec!["call:*".into()]),
            ..claims.switchboard.clone()
        },
        ..claims
    };
    let some = Backend::at(port, sign(&some).unwrap());
    let listed = some.get("/v1/rooms").await;
    assert_eq!(names(&listed.body["rooms"], "room"), ["call:1"]);
    assert_eq!(some.get("/v1/rooms/lobby").await.says(), (403, "not-allowed"));
    let sent = some.post("/v1/rooms/lobby/messages", r#"{"payload":1}"#).await;
    assert_eq!(sent.says(), (403, "not-allowed"));
    assert_eq!(
        remove(&some, "/v1/rooms/lobby/members/bob").await.says(),
        (403, "not-allowed")
    );
}
