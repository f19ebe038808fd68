//! The promises of `core`, tested without a network and, but for two timers, without waiting for a clock.

mod acks;
mod attach;
mod budgets;
mod candidates;
mod command_gate;
mod delivery;
mod duplicate_filter;
mod endings;
mod faults;
mod harness;
mod memory;
mod metrics;
mod model;
mod observer;
mod outbox;
mod rebalance;
mod records;
mod registry;
mod retries;
mod revocations;
mod room_records;
mod schedule;
mod send_queue;
mod senders;
mod sessions;
mod snapshot;
