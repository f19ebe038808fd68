//! How a session behaves: where it connects, how often, and its bounds.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::Secret;

use crate::{Backoff, ConnectOptions};

/// Returns the token for one attempt. The session's task calls it, so it must not block.
pub type TokenSource = Arc<dyn Fn() -> Secret + Send + Sync>;

/// The largest bound on pending sends or events.
const MAX_BOUND: usize = 1 << 20;

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The template for each connection. Its URL, token, acks and resume are replaced.
    pub connect: ConnectOptions,
    /// `ws://` or `wss://`, up to and including `/v1/ws`. Attempts use them in turn, starting with the first.
    pub urls: Vec<String>,
    /// The waits between failed attempts.
    pub backoff: Backoff,
    /// Sends without an outcome, in messages; clamped to 1 to 1,048,576.
    pub pending_messages: usize,
    /// The bound of the event channel, in events; clamped to 1 to 1,048,576.
    pub events: usize,
    /// How long the session lasts without a connection; `None` for ever.
    pub give_up_after: Option<Duration>,
}

impl SessionOptions {
    /// The default behaviour, with these nodes.
    #[must_use]
    pub fn new(urls: Vec<String>) -> Self {
        Self {
            connect: ConnectOptions::new("", Secret::default()),
            urls,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(10)),
            pending_messages: 4096,
            events: 1024,
            give_up_after: None,
        }
    }

    pub(super) fn pending_messages(&self) -> usize {
        self.pending_messages.clamp(1, MAX_BOUND)
    }

    pub(super) fn events(&self) -> usize {
        self.events.clamp(1, MAX_BOUND)
    }
}
