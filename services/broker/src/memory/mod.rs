//! The bus of one process: for `switchboard dev`, for tests, and as the plainest reading of the contract.

mod broker;
mod bus;
mod call_records;
mod event_streams;
mod presence;
mod rooms;

pub use broker::MemoryBroker;
pub use bus::MemoryBus;
