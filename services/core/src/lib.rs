//! The decisions of a signaling node, without a transport and without Redis: who is here (`registry`), what
//! a client may do (`session`), what becomes of each message (`router`, `outbox`, `mailbox`), who moves to
//! another node (`balance`, `moving`), and what is asked of whatever joins the nodes (`broker`). It never does any IO, and what depends
//! on time takes the moment as an argument.
//!
//! Concurrency contract: locks are short and never held across an await. A sender's outbox may be locked
//! while a receiver's mailbox is taken, never the other way round. Nothing here waits for a slow receiver.

mod acks;
mod attachment;
mod balance;
mod broker;
mod inbound;
mod limits;
mod mail;
mod mailbox;
mod moving;
mod outbox;
mod peer;
mod records;
mod registry;
mod remote;
mod retry;
mod router;
mod saved;
mod schedule;
mod session;

pub use attachment::{Attachment, Parting, Wish};
pub use balance::{BalanceRules, Balancer, Pace};
pub use broker::{
    Attached, Broker, BrokerError, BrokerEvents, BusState, BusStatus, Claim, Crowd, IfHeld, Keep, Left,
    Letter, Presence, PreviousOwner,
};
pub use limits::Limits;
pub use mailbox::{AckTo, Forward, Outgoing};
pub use moving::MaxAge;
pub use peer::Peer;
pub use records::{RecordHolder, Records};
pub use router::{Router, SendRequest};
pub use saved::{MOST_RUNS, Marks, Saved, Unacked};
pub use session::{Effect, Session};

#[cfg(test)]
mod tests;
