//! `POST /v1/messages`: any node takes commands, only for who owns the session, and never half of a request.

use serde_json::json;
use switchboard_testkit::Cluster;

use crate::client::{EventStream, Place, http, post, post_as};

#[tokio::test(flavor = "multi_thread")]
async fn any_node_takes_commands_and_their_answers_come_in_order() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = EventStream::open(&http(&cluster.nodes[0]), "alice", "", None).await;
    let place = Place::of(&alice.welcome().await);
    let other = http(&cluster.nodes[1]);
    let commands = r#"[{"type":"ping","id":1},{"type":"dance","id":2}, {"type":"ping","id":3} ]"#;
    let (status, body) = post(&other, &place, commands).await;
    assert_eq!((status.as_u16(), body), (202, json!({"accepted": true})));
    for (kind, id) in [("pong", 1), ("error", 2), ("pong", 3)] {
        let event = alice.next().await.unwrap().data;
        assert_eq!((&event["type"], &event["id"]), (&json!(kind), &json!(id)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_others_and_for_sessions_that_are_not_there_are_refused() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = EventStream::open(&http(&cluster.nodes[0]), "alice", "", None).await;
    let mut mallory = EventStream::open(&http(&cluster.nodes[0]), "mallory", "", None).await;
    let place = Place::of(&alice.welcome().await);
    let own = Place::of(&mallory.welcome().await);
    let session = place.resume.split_once('.').unwrap().0;
    let secret = own.resume.split_once('.').unwrap().1;
    let guessed = Place {
        resume: format!("{session}.{secret}"),
        ..place.clone()
    };
    let elsewhere = Place {
        node: "n2".into(),
        ..place.clone()
    };
    let ping = r#"{"type":"ping"}"#;
    for base in [http(&cluster.nodes[0]), http(&cluster.nodes[1])] {
        for (peer, place) in [("mallory", &place), ("alice", &guessed), ("alice", &elsewhere)] {
            let (status, problem) = post_as(peer, &base, place, ping).await;
            assert_eq!(
                (status.as_u16(), &problem["code"]),
                (404, &json!("session-not-found"))
            );
        }
        let gone = Place {
            node: "n9".into(),
            ..place.clone()
        };
        let (status, problem) = post(&base, &gone, ping).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (503, &json!("bus-unavailable"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_a_bound_or_of_a_wrong_form_get_a_clear_answer_and_nothing_of_them_is_taken() {
    let cluster = Cluster::start(1).await.unwrap();
    let base = http(&cluster.nodes[0]);
    let mut alice = EventStream::open(&base, "alice", "", None).await;
    let place = Place::of(&alice.welcome().await);
    let pings = |count: usize| format!("[{}]", vec![r#"{"type":"ping"}"#; count].join(","));
    for (commands, status, code) in [
        (pings(65), 400, "bad-frame"),
        ("[1,".into(), 400, "bad-frame"),
        ("x".repeat(1024 * 1024), 413, "payload-too-large"),
    ] {
        let (found, problem) = post(&base, &place, &commands).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)));
    }
    let wrong = Place {
        resume: "x".into(),
        ..place.clone()
    };
    let (status, problem) = post(&base, &wrong, "1").await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (400, &json!("session-invalid"))
    );
    assert_eq!(post(&base, &place, r#"{"type":"ping","id":9}"#).await.0, 202);
    assert_eq!(
        alice.next().await.unwrap().data["id"],
        json!(9),
        "nothing came before"
    );
}
