//! The receiver side: an envelope arrives, passes the duplicate filter, waits in the send queue for the socket,
//! and is acknowledged when it is done.

pub(crate) mod accepted_ranges;
pub(crate) mod acks;
pub(crate) mod delivery;
pub(crate) mod done;
pub(crate) mod duplicate_filter;
pub(crate) mod envelope;
pub(crate) mod in_flight;
pub(crate) mod offline_queue;
pub(crate) mod on_message;
pub(crate) mod send_queue;
pub(crate) mod shared_event;
pub(crate) mod side;

pub use accepted_ranges::{AcceptedRanges, MAX_RANGES};
pub use delivery::{AckTo, Delivery, Outgoing};
pub use shared_event::SharedEvent;
