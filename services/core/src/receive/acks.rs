//! Acknowledgements on their way to other nodes, in batches. At most once: after a lost batch the sender's node
//! transmits again, and this node acknowledges again.

use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{Ack, NodeId, NodeMessage};
use switchboard_telemetry::{Queue, Telemetry};
use tokio::sync::Notify;

use crate::broker::{interface::Broker, route::Route};

/// Acknowledgements in one publish to one node.
pub(crate) const BATCH: usize = 64;

/// How long the first acknowledgement of a batch waits for others.
const LINGER: Duration = Duration::from_millis(2);

/// Open batches; one for each node of the cluster that sends to this one, and route.
pub(crate) const MAX_BATCHES: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Acks {
    batches: Mutex<HashMap<(NodeId, Route), Vec<Ack>>>,
    waiting: Notify,
}

impl Acks {
    /// Adds `ack` to the batch for `node`; sends the batch if that fills it.
    pub(crate) fn add(
        &self,
        node: &NodeId,
        route: Route,
        ack: Ack,
        broker: &dyn Broker,
        telemetry: &Telemetry,
    ) {
        let mut batches = self.batches.lock();
        // The id is shared, not copied.
        let key = (node.clone(), route);
        if batches.len() >= MAX_BATCHES && !batches.contains_key(&key) {
            telemetry.queue_overflow(Queue::AckBatch);
            return;
        }
        let was_empty = batches.is_empty();
        let batch = batches.entry(key).or_default();
        batch.push(ack);
        let full = (batch.len() >= BATCH).then(|| std::mem::take(batch));
        drop(batches);
        match full {
            Some(acks) => send(node, route, acks, broker, telemetry),
            None if was_empty => self.waiting.notify_one(),
            None => {}
        }
    }

    /// Sends each batch [`LINGER`] after its first acknowledgement. Never completes.
    pub(crate) async fn run(&self, broker: &dyn Broker, telemetry: &Telemetry) {
        loop {
            self.waiting.notified().await;
            tokio::time::sleep(LINGER).await;
            self.flush(broker, telemetry);
        }
    }

    /// Sends all batches now.
    pub(crate) fn flush(&self, broker: &dyn Broker, telemetry: &Telemetry) {
        let batches = std::mem::take(&mut *self.batches.lock());
        for ((node, route), acks) in batches {
            if !acks.is_empty() {
                send(&node, route, acks, broker, telemetry);
            }
        }
    }
}

fn send(node: &NodeId, route: Route, acks: Vec<Ack>, broker: &dyn Broker, telemetry: &Telemetry) {
    telemetry.ack_batch(acks.len());
    // Every version of a node knows acknowledgements.
    if let Err(error) = broker.send_to_node(node, route, NodeMessage::Acks(acks).encode()) {
        tracing::debug!(%node, %error, "acknowledgements were not sent; the sender's node will repeat");
    }
}
