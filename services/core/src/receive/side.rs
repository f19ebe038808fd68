//! The receiver side of a node: where acknowledgements leave. What arrives is in `on_message`, what the client
//! has in `done`, the offline queue in `offline_queue`.

use std::sync::Arc;

use switchboard_protocol::{Ack, AckOutcome, NodeId, PeerKey, SessionId};

use super::acks::Acks;
use crate::context::Context;

pub(crate) struct ReceiverSide {
    pub(super) cx: Arc<Context>,
    acks: Acks,
}

impl ReceiverSide {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        Self {
            cx,
            acks: Acks::default(),
        }
    }

    /// Sends batches of acknowledgements. Never completes once there is a broker.
    pub(crate) async fn run(&self) {
        if let Ok(broker) = self.cx.broker() {
            self.acks.run(broker.as_ref(), &self.cx.telemetry).await;
        }
    }

    /// Sends all acknowledgements that wait for their batch.
    #[cfg(test)]
    pub(crate) fn flush_acks(&self) {
        if let Ok(broker) = self.cx.broker() {
            self.acks.flush(broker.as_ref(), &self.cx.telemetry);
        }
    }

    /// Tells `node` the outcome of message `id` of `session` to `receiver`, soon, on the way that the message came.
    pub(crate) fn acknowledge(
        &self,
        node: &NodeId,
        receiver: &PeerKey,
        (session, id): (SessionId, u64),
        outcome: AckOutcome,
    ) {
        if let Ok(broker) = self.cx.broker() {
            let ack = Ack { session, id, outcome };
            let route = broker.route_of(receiver);
            self.acks
                .add(node, route, ack, broker.as_ref(), &self.cx.telemetry);
        }
    }
}
