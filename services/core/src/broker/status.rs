//! The state of the bus.

use std::time::Duration;

/// The state of the bus, with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusStatus {
    /// The state for programs.
    pub state: BusState,
    /// Channels that should be subscribed.
    pub desired: usize,
    /// Channels whose subscription is confirmed.
    pub confirmed: usize,
    /// The cause for people; empty when all is well.
    pub detail: String,
}

/// The state of the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// Commands are answered and the node hears its own probe.
    Up,
    /// Some servers of the bus are not up, and the others serve at least half of the peers.
    Degraded,
    /// First connection, or a rebuild is under way.
    Connecting,
    /// The bus cannot be reached.
    Down,
    /// The bus answers, but it takes no writes: nobody can be claimed or stored.
    Refusing,
    /// Connected, but the node does not hear what it publishes.
    Deaf,
}

impl BusState {
    /// The word for it, as operators read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Connecting => "connecting",
            Self::Down => "down",
            Self::Refusing => "refusing",
            Self::Deaf => "deaf",
        }
    }
}

/// One server of the bus, as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusServer {
    /// Its address.
    pub server: String,
    /// The share of the peers that it serves, in percent.
    pub percent_of_peers: usize,
    /// Its state.
    pub status: BusStatus,
    /// The time since the node's lease on it was renewed; `None`: never.
    pub lease_age: Option<Duration>,
    /// Whether the lease is over: other nodes take this one for dead.
    pub is_lease_over: bool,
}
