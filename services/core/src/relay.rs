//! Commands that come to a node over HTTP for a session of another one (docs/protocol.md, "Fallback transports"). Here is
//! only the way between the nodes: the public port knows the connections, and parses nothing before it has checked the
//! session's secret.

use switchboard_protocol::{RelayOutcome, RelayedCommands};

/// The public port of a node, as other nodes need it.
pub trait CommandRelay: Send + Sync + 'static {
    /// Another node got commands for a session here. Called by the broker's reader: it must return at once.
    fn on_commands(&self, commands: RelayedCommands);

    /// The answer to the commands of that `ticket`, which this node relayed.
    fn on_answer(&self, ticket: u64, outcome: RelayOutcome);
}
