//! What signaling notices of a receiver that answers after 20 seconds: nothing. Two nodes side by side, one with webhooks and
//! one without, in alternating blocks, so that both have the same load of the machine.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_client::Client;
use switchboard_protocol::MessageKind;
use switchboard_testkit::{Cluster, PATIENCE, Received, Reply, WebhookReceiver, payload, wait_until};
use tokio::time::{MissedTickBehavior, interval};

use crate::{hooks, json, visit};

/// Blocks of each node.
const PAIRS: usize = 5;

/// Alice sends as fast as she gets her receipts.
const NO_RATE: &str = "[limits]\nmessages_per_second = 100000\nmessage_burst = 100000\n";

/// Events that wait before the measurement begins: more than the endpoint takes meanwhile.
const WAITING: usize = 100;

/// A caller, and the one that it calls, on a node of their own.
struct Pair {
    cluster: Arc<Cluster>,
    alice: Client,
    bob: Client,
}

impl Pair {
    async fn start(config: &str) -> Self {
        let config = format!("{NO_RATE}{config}");
        let cluster = Arc::new(Cluster::start_with(1, &config).await.unwrap());
        for number in 0..WAITING {
            visit(&cluster.nodes[0], &format!("p{number}"), None).await;
        }
        Self {
            alice: cluster.connect(0, "alice").await.unwrap(),
            bob: cluster.connect(0, "bob").await.unwrap(),
            cluster,
        }
    }

    /// Median and p99 of so many sends, each with its receipt.
    async fn measure(&mut self, sends: usize) -> [Duration; 2] {
        let one = payload("1").unwrap();
        let mut times = Vec::with_capacity(sends);
        for _ in 0..sends {
            let began = Instant::now();
            let sent = self
                .alice
                .send_and_confirm(MessageKind::Message, "bob", &one, PATIENCE);
            assert!(sent.await.unwrap().is_delivered());
            times.push(began.elapsed());
            self.bob.message(PATIENCE).await.unwrap();
        }
        times.sort();
        [times[sends / 2], times[sends * 99 / 100]]
    }
}

/// New events on both nodes all the time.
async fn visit_both(clusters: [Arc<Cluster>; 2]) {
    let mut pace = interval(Duration::from_millis(50));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0_u64.. {
        pace.tick().await;
        for cluster in &clusters {
            visit(&cluster.nodes[0], &format!("v{}", number % 50), None).await;
        }
    }
}

/// The median of all blocks, with the least and the most of them.
fn summary(mut blocks: Vec<Duration>) -> (Duration, String) {
    blocks.sort();
    let (median, least, most) = (blocks[blocks.len() / 2], blocks[0], blocks[blocks.len() - 1]);
    (median, format!("{median:.0?} ({least:.0?} to {most:.0?})"))
}

#[tokio::test(flavor = "multi_thread")]
async fn signaling_is_as_quick_with_a_receiver_that_answers_after_20_seconds() {
    let is_long = std::env::var_os("SWITCHBOARD_LONG").is_some();
    let (pairs, sends) = if is_long { (15, 2_000) } else { (PAIRS, 40) };
    let slow = WebhookReceiver::start(|_: &Received| Reply {
        after: Duration::from_secs(20),
        ..Reply::status(200)
    });
    let slow = slow.await.unwrap();
    let with = Pair::start(&hooks(slow.address(), "requests = 64")).await;
    let without = Pair::start("").await;
    let clusters = [&with, &without].map(|pair| Arc::clone(&pair.cluster));
    let visits = tokio::spawn(visit_both(clusters));
    let (mut both, mut times) = ([with, without], [[vec![], vec![]], [vec![], vec![]]]);
    for number in 0..pairs {
        // A B, then B A: what changes steadily cancels out.
        for which in [number % 2, 1 - number % 2] {
            let block = both[which].measure(sends).await;
            for (times, time) in times[which].iter_mut().zip(block) {
                times.push(time);
            }
        }
    }
    let waiting = async || {
        let status = json("GET", &both[0].cluster.nodes[0], "/webhooks").await.1;
        (status["endpoints"][0]["events"].as_u64()? > WAITING as u64).then_some(())
    };
    wait_until("most events wait", PATIENCE, waiting).await.unwrap();
    visits.abort();
    let [with, without] = times.map(|[p50, p99]| [summary(p50), summary(p99)]);
    println!("{pairs} pairs of {sends} sends; medians of the blocks, and their range");
    for (name, [(_, p50), (_, p99)]) in [("slow receiver", &with), ("no webhooks", &without)] {
        println!("{name}: p50 {p50}, p99 {p99}");
    }
    // A machine that is busy has no p99 worth a bound.
    assert!(with[0].0 < without[0].0 * 2 + Duration::from_millis(2));
}
