//! How a session behaves: where it connects, how often, and the bounds of what it keeps.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::Secret;

use crate::{Backoff, ConnectOptions};

/// Gives the token for each connection; asked at every attempt, in the session's task, so it must not block.
pub type TokenSource = Arc<dyn Fn() -> Secret + Send + Sync>;

/// The largest bound that can be set on unfinished sends or events.
const MOST: usize = 1 << 20;

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The template for each connection. Its URL, token, acks and resume are replaced.
    pub connect: ConnectOptions,
    /// `ws://` or `wss://`, up to and including `/v1/ws`; taken in turn, starting at the first.
    pub urls: Vec<String>,
    /// The waits between failed attempts.
    pub backoff: Backoff,
    /// Unfinished sends kept, in messages; at least 1 and at most 1,048,576 are used.
    pub pending_messages: usize,
    /// The bound of the event channel, in events; as above.
    pub events: usize,
    /// How long the session goes on without a connection; `None` for ever.
    pub give_up_after: Option<Duration>,
}

impl SessionOptions {
    /// The usual behaviour, with these nodes.
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
        self.pending_messages.clamp(1, MOST)
    }

    pub(super) fn events(&self) -> usize {
        self.events.clamp(1, MOST)
    }
}
