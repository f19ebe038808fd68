//! What a node asks of whatever joins the nodes, and what it is told in return. Not an implementation:
//! those are `switchboard-broker`'s memory and Redis backends, which pass one contract suite.
//!
//! Only [`Broker::attach`] is waited for. Everything on the way of a message returns at once and reports
//! later through [`BrokerEvents`], so that no connection ever waits for the network between nodes.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::time::Duration;

use switchboard_protocol::{Mid, NodeId, NodeMessage, PeerKey, ResumeToken, SessionId};

use crate::SessionSnapshot;

/// Joins the nodes of a cluster: channels keyed by peer, one inbox per node, a record of who is where.
pub trait Broker: Send + Sync + 'static {
    /// Subscribes to `key`'s channel, awaits the confirmation, then claims the peer for `claim`'s session with
    /// a fence higher than any before. While the bus is down a fresh session gets `confirmed: false` at once;
    /// the backend subscribes and claims as soon as the bus is back.
    ///
    /// # Errors
    /// [`BrokerError::NotResumable`] for a resume whose session is not there, [`BrokerError::InUse`] when a
    /// living holder is not to be displaced, and the others.
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>>;

    /// Gives `key` up if `session` is still its owner here with that `fence` (0: any): unsubscribes, and later
    /// either keeps the session for a resume or, without `keep`, forgets it.
    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, keep: Option<Retention>);

    /// Publishes `envelope` on `to`'s channel; [`BrokerEvents::on_published`] follows exactly once for each `Ok`.
    ///
    /// # Errors
    /// [`BrokerError::QueueFull`] or [`BrokerError::Unavailable`]: nothing was sent, nothing will be reported.
    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError>;

    /// Asks where `to` is; [`BrokerEvents::on_located`] follows exactly once for each `Ok`.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn locate(&self, mid: Mid, to: &PeerKey) -> Result<(), BrokerError>;

    /// Leaves a message in the mailbox of a detached peer; [`BrokerEvents::on_stored`] follows exactly once for
    /// each `Ok`.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn store(&self, letter: StoredMessage) -> Result<(), BrokerError>;

    /// Looks into the mailbox of a peer that is attached here; [`BrokerEvents::on_offline_queue`] follows if there is any.
    fn read_offline_queue(&self, key: &PeerKey, session: SessionId);

    /// The oldest `letters` of the mailbox, `bytes` in all, have reached `session` and can go.
    fn remove_stored(&self, key: &PeerKey, session: SessionId, letters: usize, bytes: usize);

    /// The client of `session` was just heard: whoever asked may know.
    fn touch(&self, key: &PeerKey, session: SessionId);

    /// Puts `message` into a node's inbox; at most once, no report.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn send_to_node(&self, node: &NodeId, message: Vec<u8>) -> Result<(), BrokerError>;

    /// Notes how many connections this node has, for the others to know, or that it takes none (`None`) and is
    /// not to be counted. What is known of them, seconds old; `None` while nothing recent is.
    fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad>;

    /// How the bus is, for readiness and for people.
    fn status(&self) -> BusStatus;

    /// Detaches what this node still holds on the bus, so that it can be resumed elsewhere, and ends the backend's
    /// tasks.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// What a backend tells its node. Every method returns at once and must not call back into the broker's
/// `attach`.
pub trait BrokerEvents: Send + Sync + 'static {
    /// An envelope arrived on the channel of `to` (`tenant/peer`).
    fn on_message(&self, to: &str, envelope: Bytes);

    /// A message arrived in this node's inbox.
    fn on_node_message(&self, message: Bytes);

    /// A publish was carried out: how many subscribers the bus counted (a hint, never proof), or why not.
    fn on_published(&self, mid: Mid, to: &PeerKey, outcome: Result<u64, BrokerError>);

    /// The answer to [`Broker::store`].
    fn on_stored(&self, mid: Mid, to: &PeerKey, outcome: Result<StoreOutcome, BrokerError>);

    /// What lies in the mailbox of `to`, whose session here is `session`: oldest first, and what was taken
    /// out before may be among it.
    fn on_offline_queue(&self, to: &PeerKey, session: SessionId, letters: Vec<Bytes>);

    /// The answer to [`Broker::locate`].
    fn on_located(&self, mid: Mid, to: &PeerKey, outcome: Result<Presence, BrokerError>);
}

/// How a peer is claimed.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The session, and the secret with which it can be resumed.
    pub token: ResumeToken,
    /// Only if the record is of this very session and secret.
    pub resume: bool,
    /// What happens while somebody else holds the peer.
    pub if_held: ConflictPolicy,
    /// How long the session is kept once it is detached.
    pub window: Duration,
}

/// What happens when a peer to be claimed is attached elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// It is taken over at once.
    TakeOver,
    /// Its node is asked to detach it, and it is taken over when that has happened or this long after.
    DetachThenTakeOver(Duration),
    /// Its node is asked whether the client still lives. If it says so within that time the claim is refused,
    /// else the peer is taken over.
    ProbeThenReject(Duration),
}

impl ConflictPolicy {
    /// What the holder's node is asked, if anything.
    #[must_use]
    pub fn question(self, key: &PeerKey, session: SessionId) -> Option<NodeMessage> {
        let key = key.clone();
        match self {
            Self::TakeOver => None,
            Self::DetachThenTakeOver(_) => Some(NodeMessage::DetachRequest { key, session }),
            Self::ProbeThenReject(_) => Some(NodeMessage::Probe { key, session }),
        }
    }
}

/// What is kept of a session that is detached, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// How far it had got; `None` when its node cannot say.
    pub saved: Option<SessionSnapshot>,
    /// How long it can be resumed.
    pub window: Duration,
}

/// A message for a detached peer's mailbox.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// The message; always one with a client's id.
    pub mid: Mid,
    /// That id.
    pub id: u64,
    /// The receiver.
    pub to: PeerKey,
    /// The id before it that must have been accepted.
    pub prev: Option<u64>,
    /// Also when the peer is said to be attached: nobody has heard it there repeatedly.
    pub is_urgent: bool,
    /// How long it is kept if the receiver turns out not to be attached after all.
    pub window: Duration,
    /// The envelope.
    pub envelope: Vec<u8>,
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// No such session.
    Offline,
    /// The peer is attached; publish again.
    Attached,
    /// It waits, at most this long.
    Queued(Duration),
    /// The peer had it before it was detached.
    Delivered,
    /// A later one of the same sender is there and this one never was.
    Late,
    /// One before it is missing.
    Gap,
    /// The mailbox is full.
    Full,
}

/// The outcome of a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimOutcome {
    /// Grows with every claim of this peer, anywhere; 0 while unconfirmed.
    pub fence: u64,
    /// Whether the subscription is confirmed and the claim stands.
    pub confirmed: bool,
    /// Who held the peer before and has not let go.
    pub previous: Option<PreviousOwner>,
    /// What the session's last node kept of it when it was detached; `None` when it could not.
    pub saved: Option<SessionSnapshot>,
    /// What lies in the mailbox, oldest first.
    pub mail: Vec<Bytes>,
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
    /// Nobody holds it now, but its session can be resumed.
    Detached,
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
    /// There is no session of that name and secret that could go on.
    #[error("there is no such session to resume")]
    NotResumable,
    /// The peer is attached elsewhere and its client lives.
    #[error("the peer ID is in use by a living connection")]
    InUse,
    /// The bus answered with an error.
    #[error("the bus refused the command")]
    Refused,
}

/// How the connections lie on the nodes that take clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterLoad {
    /// What this node said when it last heard of the others or the time before, whichever is less: what it
    /// heard of them is from between the two.
    pub own: usize,
    /// Connections of the others, in no order.
    pub others: Vec<usize>,
}

impl ClusterLoad {
    /// The most nodes that are counted.
    pub const MOST_NODES: usize = 1024;

    /// Connections of a node, on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let sum = self
            .others
            .iter()
            .fold(self.own, |sum, count| sum.saturating_add(*count));
        sum as f64 / (self.others.len() + 1) as f64
    }
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
