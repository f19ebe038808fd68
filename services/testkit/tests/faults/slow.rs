//! A client that does not read, among others that share its node and its sender: no other client is delayed, and every
//! send to it has an outcome.

use std::time::Duration;

use switchboard_testkit::{
    ClientNo, Cluster, Oracle, PATIENCE, TestPeer, connect_with_small_buffer, wait_until,
};
use tokio::time::{Instant, interval};

use crate::{alone, print};

/// So that what waits for the slow reader's return is given up soon.
const SHORT_WINDOW: &str = "[session]\nresume_window_s = 3\n";

/// Messages sent at most to fill the slow reader's queue of 256 KiB and all that its socket takes.
const FLOOD: usize = 2000;
const PADDING: usize = 7 * 1024;

/// The most without an outcome at a time: more than the queue, less than what a node keeps of one sender.
const UNDER_WAY: usize = 70;

/// If none of those gets its outcome for this long, all is full.
const FULL_AFTER: Duration = Duration::from_secs(1);

/// Messages to the slow reader from one who also sends to a quick one.
const TO_SLOW: usize = 30;

/// Messages to the quick reader, of each sender; they go on until after the slow one is closed.
const TO_QUICK: usize = 130;

/// The longest that one of those may wait.
const PROMPT: Duration = Duration::from_millis(500);

/// Sends to the slow reader until nothing more is taken; whether it came to that.
async fn fill(oracle: &Oracle, flood: &mut TestPeer, slow: ClientNo) -> bool {
    let room = async || (oracle.unfinished().0 < UNDER_WAY).then_some(());
    for sent in 0..FLOOD {
        if wait_until("there is room", FULL_AFTER, room).await.is_err() {
            println!("full after {sent} messages of {PADDING} bytes");
            return true;
        }
        flood.send(slow, "slow", PADDING).await.unwrap();
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read_delays_nobody_else_and_sends_to_it_have_outcomes() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(2, SHORT_WINDOW).await.unwrap();
    let oracle = Oracle::start();
    let slow = oracle.client_that_does_not_read("slow");
    let port = cluster.nodes[1].public_port();
    let _never_read = connect_with_small_buffer(port, "slow").await.unwrap();
    let mut sender = TestPeer::start(&oracle, "sender", cluster.urls_from(0));
    let mut other = TestPeer::start(&oracle, "other", cluster.urls_from(1));
    let quick = TestPeer::start(&oracle, "quick", cluster.urls_from(1));
    let mut flood = TestPeer::start(&oracle, "flood", cluster.urls_from(0));
    let all = async || (oracle.connected() == 4).then_some(());
    wait_until("all are connected", PATIENCE, all).await.unwrap();

    oracle.fault("one reader does not read");
    let mut ticks = interval(Duration::from_millis(100));
    let begin = Instant::now();
    assert!(
        fill(&oracle, &mut flood, slow).await,
        "the slow reader took everything"
    );
    for _ in 0..TO_SLOW {
        sender.send(slow, "slow", PADDING).await.unwrap();
    }
    for _ in 0..TO_QUICK {
        ticks.tick().await;
        sender.send(quick.number, "quick", 0).await.unwrap();
        other.send(quick.number, "quick", 0).await.unwrap();
    }
    oracle.settle().await;
    println!("all outcomes after {:?}", begin.elapsed());
    let report = oracle.report();
    print(&report, &oracle, &cluster);
    assert!(report.is_ok());
    assert!(report.failures() > 0, "the slow reader was too slow for some");
    for from in [&sender, &other] {
        let longest = oracle.longest_wait(from.number, quick.number);
        println!("{} waited {longest:?} at most for a quick reader", from.name());
        assert!(longest <= PROMPT, "{} was delayed by {longest:?}", from.name());
    }
    assert_eq!(report.arrived, 2 * TO_QUICK, "all of it arrived");
}
