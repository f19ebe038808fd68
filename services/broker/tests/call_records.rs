//! Records of calls: one call of each name is the first, on any node. On every bus.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::time::Duration;

use common::{Cluster, Node, PATIENCE};
use switchboard_harness::wait_until;

contract!(
    one_of_many_nodes_begins_a_call_and_the_others_read_its_record,
    a_record_that_was_removed_or_has_ended_can_begin_again,
);

const LONG: Duration = Duration::from_secs(60);

fn text(text: &str) -> String {
    text.to_owned()
}

async fn one_of_many_nodes_begins_a_call_and_the_others_read_its_record(cluster: Cluster) {
    let (n1, n2) = (cluster.node("n1").await, cluster.node("n2").await);
    let begin =
        async |node: &Node, name: &str, record: &str| node.calls.begin(text(name), text(record), LONG).await;
    let both = tokio::join!(begin(&n1, "acme/1", "first"), begin(&n2, "acme/1", "second"));
    let winner = match both {
        (Ok(None), Ok(Some(record))) if record == "first" => text("first"),
        (Ok(Some(record)), Ok(None)) if record == "second" => text("second"),
        other => panic!("one node begins: {other:?}"),
    };
    n2.calls
        .replace(text("acme/1"), text("done"), LONG)
        .await
        .unwrap();
    assert_eq!(begin(&n1, "acme/1", &winner).await, Ok(Some(text("done"))));
    assert_eq!(
        begin(&n1, "globex/1", "another").await,
        Ok(None),
        "another tenant has its own"
    );
}

async fn a_record_that_was_removed_or_has_ended_can_begin_again(cluster: Cluster) {
    let node = cluster.node("n1").await;
    let begin = |ttl| node.calls.begin(text("acme/2"), text("pending"), ttl);
    assert_eq!(begin(LONG).await, Ok(None));
    node.calls.remove(text("acme/2")).await.unwrap();
    node.calls
        .replace(text("acme/2"), text("late"), LONG)
        .await
        .unwrap();
    assert_eq!(
        begin(Duration::from_secs(1)).await,
        Ok(None),
        "a late replacement enters nothing"
    );
    let ended = async || (begin(LONG).await == Ok(None)).then_some(());
    wait_until("the record has ended by itself", PATIENCE, ended)
        .await
        .unwrap();
}
