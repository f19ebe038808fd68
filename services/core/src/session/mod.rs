//! Sessions on this node: attached, resumed, detached, found by address and by id, and the gate that checks
//! each command.

pub(crate) mod attach;
pub(crate) mod command_gate;
pub(crate) mod detach;
pub(crate) mod handle;
pub(crate) mod lifecycle;
pub(crate) mod registry;
pub(crate) mod request;
pub(crate) mod resume;
pub(crate) mod snapshot;

pub use command_gate::{CommandEffect, CommandGate};
pub use handle::Session;
pub use request::{AttachRequest, OnDisconnect};
pub use snapshot::{SNAPSHOT_BYTES, SessionSnapshot, Unacked};
