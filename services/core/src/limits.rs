//! The bounds of one node, each with its unit in its name. An operator sets them under `[limits]` and
//! `[session]`. Not the bounds of the protocol itself (`switchboard_protocol`).

use std::time::Duration;

/// Every bound that `core` keeps.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest frame of a client, in bytes.
    pub message_bytes: usize,
    /// Messages in one receiver's send queue.
    pub send_queue_messages: usize,
    /// Payload bytes in one receiver's send queue.
    pub send_queue_bytes: usize,
    /// Sends of one session without an outcome.
    pub pending_messages: usize,
    /// Payload bytes of those sends.
    pub pending_bytes: usize,
    /// Receivers to which one session may have pending sends.
    pub streams_per_session: usize,
    /// Senders whose order one receiver keeps track of.
    pub senders_per_receiver: usize,
    /// Commands a second that one connection may send in the long run.
    pub messages_per_second: u32,
    /// Commands that one connection may send at once.
    pub message_burst: u32,
    /// Refusals over the rate after which the connection is closed (4429).
    pub rate_strikes: u32,
    /// Bad frames in a row after which the connection is closed (4400).
    pub bad_frames_in_a_row: u32,
    /// How long a send may wait for its outcome.
    pub send_deadline: Duration,
    /// How long a detached session can be resumed; zero: not at all.
    pub resume_window: Duration,
    /// The same for a session whose page was left; at most the resume window.
    pub away_window: Duration,
    /// How often a node pings its clients.
    pub heartbeat: Duration,
    /// How long a receiver's queue may make no progress before the connection is closed (4508).
    pub write_stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            send_queue_messages: 1024,
            send_queue_bytes: 256 * 1024,
            pending_messages: 4096,
            pending_bytes: 1024 * 1024,
            streams_per_session: 1024,
            senders_per_receiver: 4096,
            messages_per_second: 1000,
            message_burst: 4000,
            rate_strikes: 100,
            bad_frames_in_a_row: 10,
            send_deadline: Duration::from_secs(5),
            resume_window: Duration::from_secs(60),
            away_window: Duration::from_secs(5),
            heartbeat: Duration::from_secs(25),
            write_stall: Duration::from_secs(10),
        }
    }
}
