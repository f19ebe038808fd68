//! The state of the bus.

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
    /// First connection, or a rebuild is under way.
    Connecting,
    /// The bus cannot be reached.
    Down,
    /// The bus answers, but it takes no writes: nobody can be claimed or stored.
    Refusing,
    /// Connected, but the node does not hear what it publishes.
    Deaf,
}
