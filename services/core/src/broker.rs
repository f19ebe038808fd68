//! What a node asks of whatever joins the nodes, and what it is told in return. Not an implementation:
//! those are `switchboard-broker`'s memory and Redis backends, which pass one contract suite.
//!
//! Only [`Broker::attach`] is waited for. Everything on the way of a message returns at once and reports
//! later through [`BrokerEvents`], so that no connection ever waits for the network between nodes.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use switchboard_protocol::{Mid, NodeId, PeerKey, SessionId};

/// Joins the nodes of a cluster: channels keyed by peer, one inbox per node, a record of who is where.
pub trait Broker: Send + Sync + 'static {
    /// Subscribes to `key`'s channel, awaits the confirmation, then claims the peer for `session` with a
    /// fence higher than any before. While the bus is down it returns at once with `confirmed: false`; the
    /// backend subscribes and claims as soon as the bus is back.
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        session: SessionId,
    ) -> BoxFuture<'a, Result<Attached, BrokerError>>;

    /// Gives `key` up if `session` is still its owner here: unsubscribes and releases the claim, later.
    fn detach(&self, key: &PeerKey, session: SessionId);

    /// Publishes `envelope` on `to`'s channel; [`BrokerEvents::published`] follows exactly once for each `Ok`.
    ///
    /// # Errors
    /// [`BrokerError::QueueFull`] or [`BrokerError::Unavailable`]: nothing was sent, nothing will be reported.
    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError>;

    /// Asks where `to` is; [`BrokerEvents::located`] follows exactly once for each `Ok`.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn locate(&self, mid: Mid, to: &PeerKey) -> Result<(), BrokerError>;

    /// Puts `message` into a node's inbox; at most once, no report.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn send_to_node(&self, node: &NodeId, message: Vec<u8>) -> Result<(), BrokerError>;

    /// How the bus is, for readiness and for people.
    fn status(&self) -> BusStatus;

    /// Releases what this node holds on the bus and ends the backend's tasks.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// What a backend tells its node. Every method returns at once and must not call back into the broker's
/// `attach`.
pub trait BrokerEvents: Send + Sync + 'static {
    /// An envelope arrived on the channel of `to` (`tenant/peer`).
    fn heard(&self, to: &str, envelope: Bytes);

    /// A message arrived in this node's inbox.
    fn inbox(&self, message: Bytes);

    /// A publish was carried out: how many subscribers the bus counted (a hint, never proof), or why not.
    fn published(&self, mid: Mid, to: &PeerKey, outcome: Result<u64, BrokerError>);

    /// The answer to [`Broker::locate`].
    fn located(&self, mid: Mid, to: &PeerKey, outcome: Result<Presence, BrokerError>);
}

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Grows with every claim of this peer, anywhere; 0 while unconfirmed.
    pub fence: u64,
    /// Whether the subscription is confirmed and the claim stands.
    pub confirmed: bool,
    /// Who held the peer before and has not let go.
    pub previous: Option<PreviousOwner>,
}

/// The session that held a peer before a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousOwner {
    /// Its node.
    pub node: NodeId,
    /// Its session.
    pub session: SessionId,
}

/// Where a peer is, by the shared record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Nobody holds it, or only a node without a live lease.
    Offline,
    /// A living node holds it.
    Attached {
        /// That node.
        node: NodeId,
    },
}

/// Why the bus did not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// The connection to the bus is down.
    #[error("the bus between nodes cannot be reached")]
    Unavailable,
    /// The bounded queue towards the bus is full.
    #[error("the queue towards the bus is full")]
    QueueFull,
    /// The bus is reachable but its records are still being rebuilt: an absent peer proves nothing.
    #[error("the bus has just come back; its records are not complete yet")]
    Unsettled,
    /// A newer connection of the same peer attached meanwhile.
    #[error("a newer connection of the same peer attached meanwhile")]
    Superseded,
    /// The bus answered with an error.
    #[error("the bus refused the command")]
    Refused,
}

/// How the bus is.
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
    /// Connected, but the node does not hear what it publishes.
    Deaf,
}
