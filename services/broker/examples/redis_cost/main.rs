//! What connects, disconnects, resumes and messages cost Redis: CPU time and memory, compared with the least commands that do
//! the same (`floor`). Both take turns on a Redis of their own each; `make redis-cost` runs it, docs/performance.md has the figures.
//! Not a load test: one node, one peer after another or 32 at once.

#![expect(clippy::unwrap_used, reason = "a measurement that fails must stop")]

#[path = "../../tests/common/mod.rs"]
mod common;
mod floor;
mod meter;
mod node;

use std::time::Duration;

use futures_util::future::BoxFuture;
use meter::{Meter, Row};

/// Repeats of each measurement.
const ROUNDS: usize = 5;

/// Peers in each measurement.
const PEERS: usize = 960;

/// Peers that do the same at once, in the rows of bursts.
const BURST: usize = 32;

/// Between two bursts, or two peers alone: each finds Redis at rest.
const PAUSE: Duration = Duration::from_millis(2);

/// A step whose cost is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Connect,
    /// The session ends with the connection.
    Disconnect,
    /// The session stays for a resume.
    Detach,
    Resume,
    /// 1.2 KiB.
    Message,
}

/// The order brings each peer into the state that the next operation needs.
const ORDER: [Operation; 5] = [
    Operation::Connect,
    Operation::Message,
    Operation::Detach,
    Operation::Resume,
    Operation::Disconnect,
];

/// The bytes of a message.
const MESSAGE: [u8; 1_200] = [b'x'; 1_200];

/// Somebody who does operations on a Redis.
trait Contender {
    /// Does it for these peers at once, and returns when the answers are there, if it has any.
    fn perform<'a>(&'a self, operation: Operation, peers: &'a [String]) -> BoxFuture<'a, ()>;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (of_floor, of_node) = (Meter::start().await?, Meter::start().await?);
    let contenders: [(&str, &Meter, Box<dyn Contender>); 2] = [
        (
            "floor",
            &of_floor,
            Box::new(floor::Floor::connect(&of_floor.server.url()).await?),
        ),
        (
            "switchboard",
            &of_node,
            Box::new(node::Connected::start(&of_node.server.url()).await),
        ),
    ];
    let mut rows: Vec<Row> = Vec::new();
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        for burst in [1, BURST] {
            let peers: Vec<String> = (0..PEERS)
                .map(|peer| format!("peer-{round}-{burst}-{peer:05}"))
                .collect();
            for (name, meter, contender) in &contenders {
                let idle = meter.idle().await?;
                let before = meter.memory().await?;
                for operation in ORDER {
                    let cost = meter.cost(idle, async {
                        for some in peers.chunks(burst) {
                            contender.perform(operation, some).await;
                            tokio::time::sleep(PAUSE).await;
                        }
                    });
                    let micros = cost.await? / PEERS as f64;
                    meter::note(
                        &mut rows,
                        format!("{operation:?}, {burst} at once, µs"),
                        name,
                        micros,
                    );
                    if operation == Operation::Connect {
                        let bytes = (meter.memory().await? - before) / PEERS as f64;
                        meter::note(
                            &mut rows,
                            "memory of a connected peer, bytes".to_owned(),
                            name,
                            bytes,
                        );
                    }
                }
            }
        }
    }
    meter::print(&rows);
    Ok(())
}
