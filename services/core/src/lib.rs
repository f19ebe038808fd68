//! The decisions of a signaling node, without IO: no transport, no Redis. Time is an argument or comes from
//! one clock.
//!
//! The way of one offer from Alice to Bob:
//! 1. `session::command_gate` checks the frame of Alice's client; `send::accept` puts it into her outbox.
//! 2. `send::transmit` offers it to Bob's session on this node, or publishes it through [`Broker`].
//! 3. On Bob's node `receive::on_message` runs `receive::duplicate_filter` and fills `receive::send_queue`.
//! 4. The socket has it: `receive::done` acknowledges, directly or in a batch (`receive::acks`).
//! 5. `send::outcome` tells Alice, once. Without an acknowledgement `send::retry` transmits again.
//!
//! `session` attaches, resumes and detaches sessions; `rebalance` decides which clients move to another node;
//! `presence` tells clients who is online; `rooms` has the members of this node's rooms; `observer` reports what
//! happens. [`Router`] ties these parts together.
//!
//! Concurrency contract: locks are short and never held across an await. A thread that holds a sender's outbox
//! may lock a receiver's send queue, never the reverse. Nothing here waits for a slow receiver.

mod attachment;
mod broker;
mod broker_events;
mod clock;
mod context;
mod largest;
mod limits;
mod memory;
mod observer;
mod presence;
mod quotas;
mod rebalance;
mod receive;
mod records;
mod relay;
mod revocations;
mod rooms;
mod router;
mod send;
mod session;
mod wire_versions;

pub use attachment::Attachment;
pub use broker::{
    Append, Backlog, DeadEvent, EventStreams, Held, Page, ReadFrom, Replay, STREAM_PARTITIONS, StreamBounds,
    StreamEntry, StreamEvent,
};
pub use broker::{
    Asker, Broker, BrokerError, BrokerEvents, BusServer, BusState, BusStatus, CallRecords, Claim,
    ClaimOutcome, ClusterLoad, ConflictPolicy, EndedSession, Hold, JoinError, Located, NodeRecord, Presence,
    PreviousOwner, Retention, RoomChange, RoomDelta, RoomEntry, RoomJoin, RoomJoined, RoomLeave, RoomLeft,
    RoomMember, RoomMembership, RoomPage, RoomQuery, Roster, Route, StoreOutcome, StoredMessage, TenantUsage,
};
pub use largest::{LargeRoom, LargeTenant};
pub use limits::{AddressAccount, ConnectionPlace, Limits, PeerAccount, RaisedLimits, STORED_OVERHEAD_BYTES};
pub use observer::{NodeEvent, Observer};
pub use presence::PresenceCommand;
pub use rebalance::{MaxAge, Rebalance, RebalancePolicy, RebalanceRate, RebalanceRules};
pub use receive::{AcceptedRanges, AckTo, Delivery, MAX_RANGES, Outgoing, SharedEvent};
pub use records::{
    OFFLINE_QUEUE_BYTES, OFFLINE_QUEUE_BYTES_PER_SENDER, OFFLINE_QUEUE_MESSAGES,
    OFFLINE_QUEUE_MESSAGES_PER_SENDER, RecordOwner, Records, RoomRecords,
};
pub use relay::Relay;
pub use revocations::{RevocationChange, Revocations, RevokeError};
pub use rooms::RoomSend;
pub use router::Router;
pub use send::{OutboxSlot, SendRequest, Sender};
pub use session::{
    AttachRequest, CommandEffect, CommandGate, OnDisconnect, SNAPSHOT_BYTES, Session, SessionSnapshot,
    Unacked,
};

#[cfg(test)]
mod tests;
