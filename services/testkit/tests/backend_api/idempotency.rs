//! Calls that a backend repeats: one send, and its outcome for all of them, on any node.

use reqwest::Method;
use switchboard_client::Client;
use switchboard_testkit::{Cluster, PATIENCE, wait_until};

use crate::{Answer, Backend, answer, with_body};

const CALL: &str = "/v1/peers/bob/messages";

async fn send(backend: &Backend, key: &str, body: &str) -> Answer {
    let request = backend.request(Method::POST, CALL).header("idempotency-key", key);
    answer(with_body(request, body)).await
}

async fn text(client: &mut Client) -> String {
    client.message(PATIENCE).await.unwrap().payload.get().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_sends_once_and_reads_the_first_outcome_on_any_node() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let (n1, n2) = (Backend::of(&cluster.nodes[0]), Backend::of(&cluster.nodes[1]));
    let first = send(&n1, "order-7", r#"{"payload":1}"#).await;
    assert_eq!(first.says(), (200, "delivered"));
    for backend in [&n1, &n2] {
        let again = send(backend, "order-7", r#"{"payload":1}"#).await;
        assert_eq!(
            (again.says(), &again.body["mid"]),
            ((200, "delivered"), &first.body["mid"])
        );
        assert!(again.is_replayed && !first.is_replayed);
    }
    let other = send(&n2, "order-7", r#"{"payload":2}"#).await;
    assert_eq!(other.says(), (422, "idempotency-key-reused"));
    assert_eq!(
        send(&n2, "order 8", r#"{"payload":2}"#).await.says(),
        (400, "bad-idempotency-key")
    );
    assert_eq!(send(&n2, "order-8", r#"{"payload":3}"#).await.status, 200);
    assert_eq!(
        (text(&mut bob).await, text(&mut bob).await),
        ("1".into(), "3".into()),
        "each once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_one_key_at_the_same_time_send_once() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    let backends = [Backend::of(&cluster.nodes[0]), Backend::of(&cluster.nodes[1])];
    let calls = (0..20).map(|number| send(&backends[number % 2], "order-9", r#"{"payload":9}"#));
    let answers = futures_util::future::join_all(calls).await;
    let mut delivered = 0;
    for sent in &answers {
        match sent.says() {
            (200, "delivered") => delivered += 1,
            (409, "idempotency-key-in-use") => assert_eq!(sent.retry_after.as_deref(), Some("1")),
            other => panic!("{other:?}"),
        }
    }
    assert!(delivered >= 1, "{answers:?}");
    assert_eq!(
        send(&backends[0], "order-10", r#"{"payload":10}"#).await.status,
        200
    );
    assert_eq!(
        (text(&mut bob).await, text(&mut bob).await),
        ("9".into(), "10".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_reads_queued_and_later_how_it_ended() {
    let config = "[session]\nresume_window_s = 2\n";
    let cluster = Cluster::start_with(2, config).await.unwrap();
    drop(cluster.connect(1, "bob").await.unwrap());
    let (n1, n2) = (Backend::of(&cluster.nodes[0]), Backend::of(&cluster.nodes[1]));
    let keys = std::cell::Cell::new(0);
    let queued = async || {
        keys.set(keys.get() + 1);
        let sent = send(&n1, &format!("wake-{}", keys.get()), r#"{"payload":1}"#).await;
        (sent.says() == (202, "queued")).then_some(())
    };
    wait_until("bob is detached", PATIENCE, queued).await.unwrap();
    let key = format!("wake-{}", keys.get());
    assert_eq!(send(&n2, &key, r#"{"payload":1}"#).await.says(), (202, "queued"));
    let expired =
        async || (send(&n2, &key, r#"{"payload":1}"#).await.says() == (410, "expired")).then_some(());
    wait_until("the message has expired", PATIENCE, expired)
        .await
        .unwrap();
}
