//! Rooms on this node: who of its clients is in which room, a copy of the roster of each of these rooms, and what
//! their members hear. Who is a member is decided by the broker's records, not here.
//!
//! A join: `enter` asks the broker (`ask`), whose answer and whose `changes` reach the copy in `roster`. When the copy
//! has the member, `answers` says `joined`. From then on `fan_out` gives the member each change and each message. `large` rooms
//! hear counts instead of changes. `resync` reads a roster anew when a change was missed.
//!
//! Locks: a room's state, then a session's send queue. No other lock is held with a room's state, except the short
//! ones of the tables in `side`.

mod answers;
mod ask;
mod changes;
mod detached;
mod enter;
mod fan_out;
mod large;
mod leave;
mod memberships;
mod messages;
mod pending_sends;
mod requests;
mod resume;
mod resync;
mod room;
mod roster;
pub(crate) mod send;
pub(crate) mod side;
mod table;
mod tick;

pub use send::RoomSend;
