//! The decisions of a signaling node, without a transport and without Redis: who is here (`registry`), what
//! a client may do (`session`), what becomes of each message (`router`, `outbox`, `mailbox`), who moves to
//! another node (`balance`, `moving`), and what is asked of whatever joins the nodes (`broker`). It never does any IO, and what depends
//! on time takes the moment as an argument.
//!
//! Concurrency contract: locks are short and never held across an await. A sender's outbox may be locked
//! while a receiver's mailbox is taken, never the other way round. Nothing here waits for a slow receiver.

mod acks;
mod attachment;
mod broker;
mod candidates;
mod command_gate;
mod duplicate_filter;
mod limits;
mod mail;
mod outbox;
mod rebalance;
mod records;
mod registry;
mod remote;
mod retry;
mod router;
mod schedule;
mod send_queue;
mod session;
mod snapshot;

pub use attachment::{AttachRequest, Attachment, OnDisconnect};
pub use broker::{
    Broker, BrokerError, BrokerEvents, BusState, BusStatus, Claim, ClaimOutcome, ClusterLoad, ConflictPolicy,
    Presence, PreviousOwner, Retention, StoreOutcome, StoredMessage,
};
pub use candidates::MaxAge;
pub use command_gate::{CommandEffect, CommandGate};
pub use limits::Limits;
pub use rebalance::{RebalancePolicy, RebalanceRate, RebalanceRules};
pub use records::{OFFLINE_QUEUE_BYTES, OFFLINE_QUEUE_MESSAGES, RecordOwner, Records};
pub use router::{Router, SendRequest};
pub use send_queue::{AckTo, Delivery, Outgoing};
pub use session::Session;
pub use snapshot::{AcceptedRanges, MAX_RANGES, SessionSnapshot, Unacked};

#[cfg(test)]
mod tests;
