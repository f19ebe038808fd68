//! The two traits between a node and a broker: commands in one direction, events in the other.
//!
//! A caller waits only for [`Broker::attach`]. Every method on the way of a message returns at once and reports
//! later through [`BrokerEvents`]. So no connection ever waits for the network between nodes.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use switchboard_protocol::{
    Mid, NodeId, PeerId, PeerKey, PresenceState, Revocation, RoomId, RoomKey, SessionId,
};

use super::{
    claim::{Claim, ClaimOutcome, EndedSession, Retention},
    error::BrokerError,
    load::ClusterLoad,
    node_record::NodeRecord,
    presence::{Asker, Located},
    rooms::{JoinError, RoomDelta, RoomJoin, RoomJoined, RoomLeave, RoomLeft, RoomPage, RoomQuery, Roster},
    route::Route,
    status::{BusServer, BusStatus},
    stored_message::{StoreOutcome, StoredMessage},
};
use crate::{broker::usage::TenantUsage, revocations::RevocationChange};

/// Joins the nodes of a cluster: a channel for each peer, a channel for each node, a record of each peer's owner.
pub trait Broker: Send + Sync + 'static {
    /// Subscribes to `key`'s channel, awaits the confirmation, then claims the peer for `claim`'s session with
    /// a fence higher than any before. While the bus is down a new session gets `confirmed: false` at once; the
    /// backend subscribes and claims when the bus is back.
    ///
    /// # Errors
    /// [`BrokerError::NotResumable`] for a resume without a session to resume, [`BrokerError::InUse`] when the
    /// claim must not displace a live owner, and the others.
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>>;

    /// Gives `key` up if `session` still owns it here with that `fence` (0: any). The backend unsubscribes, then
    /// keeps the session for a resume or, without a `retention`, removes the record.
    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, retention: Option<Retention>);

    /// Publishes `envelope` on `to`'s channel. [`BrokerEvents::on_published`] follows exactly once for each `Ok`.
    ///
    /// # Errors
    /// [`BrokerError::QueueFull`] or [`BrokerError::Unavailable`]: nothing was sent and no event follows.
    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError>;

    /// Asks where `to` is. [`BrokerEvents::on_located`] follows exactly once for each `Ok`.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn locate(&self, asker: Asker, to: &PeerKey) -> Result<(), BrokerError>;

    /// Subscribes to the changes of `peer`'s presence until [`Broker::unwatch`]; every watch needs one. Returns whether
    /// they are received already. If not, [`BrokerEvents::on_watching`] follows, after an outage too.
    fn watch(&self, peer: &PeerKey) -> bool;

    /// Ends one [`Broker::watch`].
    fn unwatch(&self, peer: &PeerKey);

    /// Puts a message into the offline queue of a detached peer. [`BrokerEvents::on_stored`] follows exactly once
    /// for each `Ok`.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn store(&self, message: StoredMessage) -> Result<(), BrokerError>;

    /// Reads the offline queue of a peer that is attached here. [`BrokerEvents::on_offline_queue`] follows if it
    /// is not empty.
    fn read_offline_queue(&self, key: &PeerKey, session: SessionId);

    /// Removes the oldest `messages` of the offline queue, `bytes` in all: they have reached `session`.
    fn remove_stored(&self, key: &PeerKey, session: SessionId, messages: usize, bytes: usize);

    /// Notes that the client of `session` is alive: a frame of it has just arrived.
    fn touch(&self, key: &PeerKey, session: SessionId);

    /// The way of messages to nodes about `peer`.
    fn route_of(&self, _peer: &PeerKey) -> Route {
        Route::default()
    }

    /// Publishes `message` on a node's channel; at most once, without a report. Takes another route while `route` is known
    /// to be down.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn send_to_node(&self, node: &NodeId, route: Route, message: Vec<u8>) -> Result<(), BrokerError>;

    /// Ends the session of `key` on any node: its node is asked to close it with 4403, and the record is removed.
    /// Completes once the record is gone or has another session. `None`: there was no session.
    ///
    /// # Errors
    /// [`BrokerError`] when that is not known, or its node did not act within 2 s.
    fn end_session<'a>(
        &'a self,
        key: &'a PeerKey,
    ) -> BoxFuture<'a, Result<Option<EndedSession>, BrokerError>>;

    /// Stores a revocation until its end and gives it to every node by [`BrokerEvents::on_revoked`]. Completes when it is
    /// stored.
    ///
    /// # Errors
    /// [`BrokerError`] when that is not known.
    fn revoke<'a>(&'a self, change: &'a RevocationChange) -> BoxFuture<'a, Result<(), BrokerError>>;

    /// Subscribes this node to the room's channel, awaits the confirmation, then enters the member, all unless it
    /// has happened before. The record of the member's session notes the room too ([`ClaimOutcome::rooms`]).
    /// [`BrokerEvents::on_room_joined`] follows exactly once for each `Ok`. From the first join on, and until
    /// [`Broker::forget_room`], the node hears every change and message of the room. After a rebuild of the bus
    /// the backend enters again whom this node has entered and not removed.
    ///
    /// Joins, leaves and detaches of one member take effect in the order in which they are asked for, and its joins are
    /// answered in that order.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn join_room(&self, join: RoomJoin) -> Result<(), BrokerError>;

    /// Removes a member. While the bus is away it is done when the bus is back. [`BrokerEvents::on_room_left`]
    /// follows if this removed it.
    fn leave_room(&self, leave: RoomLeave);

    /// Notes that the member has no connection, if this node wrote its entry last. The entry stays until
    /// [`Broker::leave_room`], a join of the same session, or the death of this node.
    fn detach_member(&self, room: &RoomKey, peer: &PeerId, session: SessionId);

    /// Publishes `envelope` to all nodes with members of the room, this one too: at most once, and in order for
    /// one sender. [`BrokerEvents::on_room_published`] follows exactly once for each `Ok`.
    ///
    /// # Errors
    /// As [`Broker::publish`].
    fn publish_to_room(&self, room: &RoomKey, mid: Mid, envelope: Vec<u8>) -> Result<(), BrokerError>;

    /// This node has no connected member of the room any more: unsubscribes. Entries of detached members stay.
    fn forget_room(&self, room: &RoomKey);

    /// Reads the members of a room.
    ///
    /// # Errors
    /// [`BrokerError::Unsettled`] when the members are not complete yet after a rebuild, and as [`Broker::publish`].
    fn roster<'a>(&'a self, room: &'a RoomKey) -> BoxFuture<'a, Result<Roster, BrokerError>>;

    /// Whether `peer` is a member of a room. Costs the same in every room.
    ///
    /// # Errors
    /// As [`Broker::roster`].
    fn has_member<'a>(
        &'a self,
        room: &'a RoomKey,
        peer: &'a PeerId,
    ) -> BoxFuture<'a, Result<bool, BrokerError>>;

    /// Reads the rooms that the record of `peer`'s session names, in no order; none without a session. A resume enters them
    /// again.
    ///
    /// # Errors
    /// As [`Broker::roster`].
    fn rooms_of<'a>(&'a self, peer: &'a PeerKey) -> BoxFuture<'a, Result<Vec<RoomId>, BrokerError>>;

    /// Reads which rooms there are.
    ///
    /// # Errors
    /// [`BrokerError::BadCursor`], and as [`Broker::roster`].
    fn rooms(&self, query: RoomQuery) -> BoxFuture<'_, Result<RoomPage, BrokerError>>;

    /// Publishes how many connections this node has, or that it takes none (`None`) and must not be counted.
    /// Returns the counts of the cluster, seconds old; `None` while no recent ones are known.
    fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad>;

    /// Publishes what tenants have on this node. Returns what they have on the others, seconds old; `None` while nothing
    /// recent is known.
    fn tenant_usage(&self, own: TenantUsage) -> Option<TenantUsage>;

    /// Publishes what this node says of itself. Returns what the others say, seconds old, in no order; empty while nothing
    /// recent is known, and on a bus whose nodes are in one process.
    fn node_records(&self, _own: NodeRecord) -> Vec<NodeRecord> {
        Vec::new()
    }

    /// The state of the bus, for readiness and for people.
    fn status(&self) -> BusStatus;

    /// The servers of the bus, for people; none where the bus is in this process.
    fn servers(&self) -> Vec<BusServer> {
        Vec::new()
    }

    /// Completes when this node can never use the bus again and must stop, with the reason for people.
    fn until_unusable(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }

    /// Detaches what this node still owns on the bus, so other nodes can resume it, and ends the backend's tasks.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// What a backend reports to its node. Every method returns at once. None may call the broker's `attach`.
pub trait BrokerEvents: Send + Sync + 'static {
    /// An envelope arrived on the channel of `to` (`tenant/peer`).
    fn on_message(&self, to: &str, envelope: Bytes);

    /// A message arrived on this node's channel.
    fn on_node_message(&self, message: Bytes);

    /// A publish was carried out: how many subscribers the bus counted (a hint, never proof), or why it failed.
    fn on_published(&self, mid: Mid, to: &PeerKey, outcome: Result<u64, BrokerError>);

    /// The answer to [`Broker::store`].
    fn on_stored(&self, mid: Mid, to: &PeerKey, outcome: Result<StoreOutcome, BrokerError>);

    /// The offline queue of `to`, whose session here is `session`: oldest first. It may contain messages that
    /// were read before.
    fn on_offline_queue(&self, to: &PeerKey, session: SessionId, messages: Vec<Bytes>);

    /// The answer to [`Broker::locate`].
    fn on_located(&self, asker: Asker, to: &PeerKey, outcome: Result<Located, BrokerError>);

    /// Changes of the watched `peer` (`tenant/peer`) are received from now on; earlier ones may have been missed.
    fn on_watching(&self, peer: &str);

    /// The watched `peer` (`tenant/peer`) changed to `state`. The fence is that of its last claim.
    fn on_presence(&self, peer: &str, fence: u64, state: PresenceState);

    /// The resume window of a detached session is over. One node of the cluster is informed, and rarely twice.
    fn on_session_ended(&self, peer: &PeerKey, session: SessionId);

    /// A node has revoked tokens. `now_s`: seconds since the Unix epoch.
    fn on_revoked(&self, revocations: Vec<Revocation>, now_s: u64);

    /// All revocations were read: at the start, and whenever some may have been missed or lost. Returns those that are in
    /// force here and are not among them; the backend stores them.
    fn on_revocations_read(&self, stored: Vec<Revocation>, now_s: u64) -> Vec<Revocation>;

    /// The answer to [`Broker::join_room`] of this member.
    fn on_room_joined(
        &self,
        room: &RoomKey,
        peer: &PeerId,
        session: SessionId,
        outcome: Result<RoomJoined, JoinError>,
    );

    /// This node removed a member: by [`Broker::leave_room`], or because the member's node is dead.
    fn on_room_left(&self, room: &RoomKey, left: RoomLeft);

    /// A room has changed; reported in the order of the versions.
    fn on_room_delta(&self, room: &RoomKey, delta: RoomDelta);

    /// An envelope arrived on the channel of `room` (`tenant/room`).
    fn on_room_message(&self, room: &str, envelope: Bytes);

    /// The answer to [`Broker::publish_to_room`].
    fn on_room_published(&self, room: &RoomKey, mid: Mid, outcome: Result<(), BrokerError>);

    /// Changes and messages of the room may have been missed: its channel was subscribed anew, or a queue was full.
    fn on_room_gap(&self, room: &RoomKey);
}
