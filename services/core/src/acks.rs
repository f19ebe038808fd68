//! Acknowledgements on their way to other nodes, gathered into batches. At most once: a lost batch is
//! healed by the sender's repeat, which is acknowledged again.

use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{Ack, NodeId, NodeMessage};
use switchboard_telemetry::{Queue, Telemetry};
use tokio::sync::Notify;

use crate::Broker;

/// Acknowledgements of one publish to one node.
const BATCH: usize = 64;

/// How long the first acknowledgement of a batch waits for company.
const LINGER: Duration = Duration::from_millis(2);

/// Batches under way towards different nodes; one per node of the cluster that sends to this one.
const MOST_NODES: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Acks {
    batches: Mutex<HashMap<NodeId, Vec<Ack>>>,
    waiting: Notify,
}

impl Acks {
    /// Adds `ack` to the batch for `node`; sends the batch if that fills it.
    pub(crate) fn add(&self, node: &NodeId, ack: Ack, broker: &dyn Broker, telemetry: &Telemetry) {
        let mut batches = self.batches.lock();
        if batches.len() >= MOST_NODES && !batches.contains_key(node) {
            telemetry.queue_overflow(Queue::AckBatch);
            return;
        }
        let was_empty = batches.is_empty();
        let batch = batches.entry_ref(node).or_default();
        batch.push(ack);
        let full = (batch.len() >= BATCH).then(|| std::mem::take(batch));
        drop(batches);
        match full {
            Some(acks) => send(node, acks, broker, telemetry),
            None if was_empty => self.waiting.notify_one(),
            None => {}
        }
    }

    /// Sends what waits, [`LINGER`] after it began to wait, for ever.
    pub(crate) async fn run(&self, broker: &dyn Broker, telemetry: &Telemetry) {
        loop {
            self.waiting.notified().await;
            tokio::time::sleep(LINGER).await;
            self.flush(broker, telemetry);
        }
    }

    /// Sends what waits now.
    pub(crate) fn flush(&self, broker: &dyn Broker, telemetry: &Telemetry) {
        let batches = std::mem::take(&mut *self.batches.lock());
        for (node, acks) in batches {
            if !acks.is_empty() {
                send(&node, acks, broker, telemetry);
            }
        }
    }
}

fn send(node: &NodeId, acks: Vec<Ack>, broker: &dyn Broker, telemetry: &Telemetry) {
    telemetry.ack_batch(acks.len());
    if let Err(error) = broker.send_to_node(node, NodeMessage::Acks(acks).encode()) {
        tracing::debug!(%node, %error, "acknowledgements not sent; the sender will repeat");
    }
}
