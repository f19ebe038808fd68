//! Commands that come to a node over HTTP for a session of another one (docs/protocol.md, "Fallback transports"). Here is
//! only the way between the nodes: the public port knows the connections, and parses nothing before it has checked the
//! session's secret.

use std::sync::Arc;

use switchboard_protocol::{NodeId, NodeMessage, RelayOutcome, RelayedCommands};

use crate::{broker::error::BrokerError, router::Router};

/// The public port of a node, as other nodes need it.
pub trait CommandRelay: Send + Sync + 'static {
    /// Another node got commands for a session here. Called by the broker's reader: it must return at once.
    fn on_commands(&self, commands: RelayedCommands);

    /// The answer to the commands of that `ticket`, which this node relayed.
    fn on_answer(&self, ticket: u64, outcome: RelayOutcome);
}

impl Router {
    /// Commands for sessions here go to `relay`. Only the first call counts.
    pub fn set_relay(&self, relay: Arc<dyn CommandRelay>) {
        self.context().set_relay(relay);
    }

    /// Sends `message` of the relay to `node`; at most once, without a report.
    ///
    /// # Errors
    /// [`BrokerError::QueueFull`] or [`BrokerError::Unavailable`].
    pub fn relay(&self, node: &NodeId, message: &NodeMessage) -> Result<(), BrokerError> {
        self.context().broker()?.send_to_node(node, message.encode())
    }
}
