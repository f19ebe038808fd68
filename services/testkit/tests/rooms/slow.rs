//! A member that does not read: it delays nobody, and hears later that it has missed something.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use switchboard_protocol::{Event, ServerFrame, decode_event};
use switchboard_testkit::{Cluster, PATIENCE, connect_with_small_buffer, wait_until};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::{alone, member::Member};

/// Messages sent at most until the slow member's queue of 256 KiB and all that its socket takes are full.
const FLOOD: u64 = 3_000;
const PADDING: usize = 7 * 1024;

/// The longest that a message may be on its way to another member.
const PROMPT: Duration = Duration::from_millis(500);

const DROPS: &str = "switchboard_room_drops_total{what=\"message\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_member_delays_nobody_and_hears_of_the_gap() {
    let _alone = alone().await;
    let cluster = Cluster::start(2).await.unwrap();
    let mut slow = connect_with_small_buffer(cluster.nodes[1].public_port(), "slow")
        .await
        .unwrap();
    let join = Message::text(r#"{"type":"join","room":"room","id":1}"#);
    slow.send(join).await.unwrap();
    let joined = timeout(PATIENCE, slow.next()).await.unwrap().unwrap().unwrap();
    assert!(joined.into_text().unwrap().contains("\"joined\""));
    // The quick one shares the slow one's node; the sender is on the other one.
    let (sender, quick) = (
        Member::start(&cluster, 0, "sender"),
        Member::start(&cluster, 1, "quick"),
    );
    sender.join("room").await;
    quick.join("room").await;

    let mut sent = Vec::new();
    let mut dropped = 0.0;
    for number in 0..FLOOD {
        sent.push(Instant::now());
        assert!(sender.send("room", number, PADDING).await, "it is published");
        if number % 50 == 49 {
            dropped = cluster.nodes[1].metric(DROPS).await.unwrap();
        }
        if dropped > 20.0 {
            break;
        }
    }
    println!("{dropped} messages dropped for the slow one, of {}", sent.len());
    assert!(dropped > 20.0, "the slow member took everything");
    let last = async || (quick.seen().messages.len() == sent.len()).then_some(());
    wait_until("the quick one has all", PATIENCE, last).await.unwrap();
    let messages = quick.seen().messages.clone();
    assert!(
        messages
            .iter()
            .map(|(number, _)| *number)
            .eq(0..sent.len() as u64)
    );
    let waits = messages.iter().zip(&sent).map(|((_, at), sent)| *at - *sent);
    let longest = waits.max().unwrap();
    println!("the quick one waited {longest:?} at most");
    assert!(longest <= PROMPT, "the quick one was delayed by {longest:?}");

    // Now it reads: what its queue had, in order, and then the roster with the gap.
    let mut got = 0;
    let gap = loop {
        let frame = timeout(PATIENCE, slow.next()).await.unwrap().unwrap().unwrap();
        let Message::Text(text) = frame else { continue };
        match decode_event(&text).unwrap() {
            ServerFrame::Message(_) => got += 1,
            ServerFrame::Event(Event::Joined(joined)) => break joined,
            ServerFrame::Event(_) => {}
        }
    };
    assert!(gap.gap && gap.id.is_none());
    assert_eq!(gap.members.unwrap().len(), 3);
    println!("the slow one got {got} messages before it learned of the gap");
    assert!(got < sent.len());
}
