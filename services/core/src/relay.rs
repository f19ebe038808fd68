//! Requests that come to a node over HTTP for a session of another one (docs/protocol.md, "Fallback transports"). Here is
//! only the seam to the public port, which knows the connections.

use switchboard_protocol::{RelayOutcome, RelayRequest};

/// The public port of a node, as other nodes need it.
pub trait Relay: Send + Sync + 'static {
    /// Another node got a request for a session here. Called by the broker's reader: it must return at once.
    fn on_request(&self, request: RelayRequest);

    /// The answer to the request of that `ticket`, which this node relayed.
    fn on_answer(&self, ticket: u64, outcome: RelayOutcome);
}
