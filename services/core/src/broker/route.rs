//! The way of a message to a node.

/// The part of the bus that carries messages to nodes about one peer: the part that carries the messages to that peer. While
/// another part of the bus is down, nothing about the peer is delayed. Its number is the broker's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Route(pub u16);
