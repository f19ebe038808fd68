//! Messages of a backend: the same outcomes as a peer's.

use switchboard_protocol::MessageKind;
use switchboard_testkit::{Cluster, PATIENCE, wait_until};

use crate::Backend;

/// JSON that a parser would change.
const ODD: &str = "{ \"n\":1.000e+2, \"big\":123456789012345678901234567890 , \"a\":[ ],\"s\":\"\\u0041\" }";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_a_peer_on_another_node_untouched_and_the_call_says_delivered() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let body = format!("{{\"type\":\"offer\",\"payload\": {ODD} }}");
    let sent = backend.post("/v1/peers/bob/messages", &body).await;
    assert_eq!(sent.says(), (200, "delivered"));
    let message = bob.message(PATIENCE).await.unwrap();
    assert_eq!(
        (message.from.as_str(), message.kind),
        ("@backend", MessageKind::Offer)
    );
    assert_eq!(message.payload.get(), ODD);
    assert_eq!(sent.body["mid"], message.mid);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_deliver_each_message_once() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let calls = (0..50).map(|number| {
        let body = format!("{{\"payload\":{number}}}");
        let backend = &backend;
        async move { backend.post("/v1/peers/bob/messages", &body).await }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(
        answers.iter().all(|sent| sent.says() == (200, "delivered")),
        "{answers:?}"
    );
    let mut numbers = Vec::new();
    for _ in 0..50 {
        numbers.push(
            bob.message(PATIENCE)
                .await
                .unwrap()
                .payload
                .get()
                .parse::<u32>()
                .unwrap(),
        );
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_a_detached_peer_is_queued_and_one_for_nobody_is_refused() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let bob = cluster.connect(1, "bob").await.unwrap();
    drop(bob);
    let queued = async || {
        let sent = backend.post("/v1/peers/bob/messages", r#"{"payload":1}"#).await;
        (sent.says() == (202, "queued")).then_some(())
    };
    wait_until("bob is detached", PATIENCE, queued).await.unwrap();
    let nobody = backend
        .post("/v1/peers/nobody/messages", r#"{"payload":1}"#)
        .await;
    assert_eq!(nobody.says(), (404, "peer-offline"));
}

#[tokio::test]
async fn a_mistake_in_a_body_is_named() {
    let cluster = Cluster::start_with(1, "[limits]\nmessage_bytes = 1024\n")
        .await
        .unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let long = format!(r#"{{"payload":"{}"}}"#, "x".repeat(2_000));
    for (body, expected) in [
        ("{}", (400, "missing-field")),
        ("[1]", (400, "bad-body")),
        (r#"{"payload":1"#, (400, "bad-body")),
        (r#"{"payload":1,"paylaod":2}"#, (400, "bad-body")),
        (r#"{"payload":1,"type":"greeting"}"#, (400, "bad-body")),
        (&long, (413, "payload-too-large")),
    ] {
        let refused = backend.post("/v1/peers/bob/messages", body).await;
        assert_eq!(refused.says(), expected, "{body}");
    }
    let form = backend.request(reqwest::Method::POST, "/v1/peers/bob/messages");
    let form = crate::answer(form.body("payload=1")).await;
    assert_eq!(form.says(), (415, "media-type"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_held_for_a_peer_that_is_offline_and_delivered_when_it_connects() {
    let cluster = Cluster::start(2).await.unwrap();
    let backend = Backend::of(&cluster.nodes[0]);
    let body = r#"{"type":"offer","payload":1,"hold_ms":30000}"#;
    let held = backend.post("/v1/peers/bob/messages", body).await;
    assert_eq!(held.says(), (202, "queued"));
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    assert_eq!(bob.message(PATIENCE).await.unwrap().mid, held.body["mid"]);
}
