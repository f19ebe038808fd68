//! Who is online: the commands `lookup`, `watch` and `unwatch`. The shared record knows where a peer is (`broker`); here are
//! the questions of this node's clients, and who of them watches whom. Not the offline queue of an absent peer (`send`).

pub(crate) mod questions;
pub(crate) mod side;
pub(crate) mod watch_table;

pub use side::PresenceCommand;
