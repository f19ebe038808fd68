//! One client that the oracle records: a session, a task that reads its events, and numbered sends. Not when it sends
//! (`load`).

use std::{collections::HashMap, sync::Arc, time::Duration};

use switchboard_client::{Backoff, Session, SessionError, SessionEvent, SessionOptions};
use switchboard_harness::{ClientNo, Oracle};
use switchboard_protocol::MessageKind;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::token;

/// How long an attempt to connect may take. Short, because a frozen node accepts and says nothing.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// The waits between attempts.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// A client. Dropping it drops its connection without a close handshake.
#[derive(Debug)]
pub struct TestPeer {
    /// Its place in the oracle's log.
    pub number: ClientNo,
    name: String,
    oracle: Arc<Oracle>,
    session: Session,
    reader: JoinHandle<()>,
    /// The last number of each stream, by its receiver.
    last: HashMap<ClientNo, u64>,
}

impl TestPeer {
    /// Starts connecting `peer`, to the first of `urls` first.
    #[must_use]
    pub fn start(oracle: &Arc<Oracle>, peer: &str, urls: Vec<String>) -> Self {
        let mut options = SessionOptions::new(urls);
        options.connect.timeout = CONNECT_WITHIN;
        options.backoff = BACKOFF;
        let name = peer.to_owned();
        // A token that cannot be made is refused by the node, and the session's end is noted.
        let tokens = Arc::new(move || token(&name).unwrap_or_default());
        let (session, events) = Session::start(options, tokens);
        let number = oracle.client(peer);
        Self {
            number,
            name: peer.to_owned(),
            oracle: Arc::clone(oracle),
            session,
            reader: tokio::spawn(read(Arc::clone(oracle), number, events)),
            last: HashMap::new(),
        }
    }

    /// Its peer ID.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends the next message of the stream to `to`, with `padding` bytes more than it needs.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn send(&mut self, to: ClientNo, to_name: &str, padding: usize) -> anyhow::Result<u64> {
        let number = self.last.get(&to).copied().unwrap_or(0) + 1;
        let payload = self.oracle.payload(self.number, to, number, padding)?;
        let at = Instant::now();
        let id = self
            .session
            .send(MessageKind::Message, to_name, payload)
            .await
            .map_err(|error: SessionError| anyhow::anyhow!("{}: {error}", self.name))?;
        self.oracle.sent(self.number, id, to, number, at.into_std());
        self.last.insert(to, number);
        Ok(id)
    }
}

impl Drop for TestPeer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(oracle: Arc<Oracle>, number: ClientNo, mut events: mpsc::Receiver<SessionEvent>) {
    while let Some(event) = events.recv().await {
        oracle.on_event(number, &event);
    }
}
