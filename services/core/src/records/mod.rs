//! The shared records in plain Rust: the owner of each peer, the snapshot of each detached session, its offline
//! queue, the members of each room. This is the reference for every backend: the memory backend and the model of the
//! delivery contract use it, and the contract suite requires the same answers from the scripts in Redis.

pub(crate) mod held_budgets;
pub(crate) mod offline_queue;
pub(crate) mod record;
pub(crate) mod rooms;
pub(crate) mod table;
pub(crate) mod waiting;

pub use offline_queue::{
    OFFLINE_QUEUE_BYTES, OFFLINE_QUEUE_BYTES_PER_SENDER, OFFLINE_QUEUE_MESSAGES,
    OFFLINE_QUEUE_MESSAGES_PER_SENDER,
};
pub use rooms::RoomRecords;
pub use table::{RecordOwner, Records};
