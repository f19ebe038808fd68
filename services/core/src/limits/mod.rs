//! The bounds of one node, and the one place that grants and takes back what they bound: per peer over all its
//! sessions, per tenant, and for the node. Not the bounds of the protocol itself (`switchboard_protocol`), not the
//! queue of one connection, which counts its own entries.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod bounds;
pub(crate) mod bucket;
pub(crate) mod budgets;
pub(crate) mod charge;
pub(crate) mod claimed;
pub(crate) mod rules;
pub(crate) mod scope;

pub use account::{PeerAccount, STORED_OVERHEAD_BYTES};
pub use address::AddressAccount;
pub use bounds::{Limits, RaisedLimits};
pub use charge::ConnectionPlace;
