//! Commands for a session on another node: the client names the node, as its `welcome` did. The answer comes back over the
//! node channels, so a client knows that its commands have arrived. Not the commands themselves.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_core::{CommandRelay, Router};
use switchboard_protocol::{
    NodeId, NodeMessage, PeerKey, RelayOutcome, RelayedCommands, ResumeToken, Secret,
};
use tokio::{sync::oneshot, time::timeout};

use super::input::Inputs;

/// How long the other node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Requests that wait for an answer of another node, at most.
const MAX_WAITING: usize = 4096;

/// Why commands did not reach the session's node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelayError {
    /// Too many requests wait, or the bus took no message.
    Busy,
    /// The node did not answer; the commands may have arrived.
    NoAnswer,
}

/// The relay of one node.
pub(crate) struct Relay {
    inputs: Arc<Inputs>,
    /// The router owns the relay.
    router: Weak<Router>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<RelayOutcome>>>,
}

impl Relay {
    /// Enters itself as the relay of `router`.
    pub(crate) fn new(router: &Arc<Router>) -> Arc<Self> {
        let relay = Arc::new(Self {
            inputs: Arc::default(),
            router: Arc::downgrade(router),
            waiting: Mutex::default(),
        });
        router.set_relay(Arc::<Self>::clone(&relay));
        relay
    }

    /// The connections of this node that take commands over HTTP.
    pub(crate) fn inputs(&self) -> &Arc<Inputs> {
        &self.inputs
    }

    /// Sends the commands in `text` to `node`, and awaits what became of them.
    pub(crate) async fn send(
        &self,
        node: &NodeId,
        token: ResumeToken,
        key: &PeerKey,
        text: &str,
    ) -> Result<RelayOutcome, RelayError> {
        let router = self.router.upgrade().ok_or(RelayError::Busy)?;
        let (ticket, answer) = self.take_ticket().ok_or(RelayError::Busy)?;
        let _place = Place { relay: self, ticket };
        let commands = RelayedCommands {
            token,
            key: key.clone(),
            origin: router.node().clone(),
            ticket,
            text: Secret::new(text),
        };
        let message = NodeMessage::Commands(Box::new(commands));
        router.relay(node, &message).map_err(|_| RelayError::Busy)?;
        let answered = timeout(ANSWER_TIMEOUT, answer).await;
        answered.ok().and_then(Result::ok).ok_or(RelayError::NoAnswer)
    }

    /// A ticket, and where its answer comes.
    fn take_ticket(&self) -> Option<(u64, oneshot::Receiver<RelayOutcome>)> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MAX_WAITING {
            return None;
        }
        // Random, so that no node can guess what another one waits for.
        let ticket = rand::random();
        let (answer, receiver) = oneshot::channel();
        waiting.insert(ticket, answer);
        Some((ticket, receiver))
    }
}

/// Given back however the request ends.
struct Place<'a> {
    relay: &'a Relay,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.relay.waiting.lock().remove(&self.ticket);
    }
}

impl CommandRelay for Relay {
    fn on_commands(&self, commands: RelayedCommands) {
        let Some(router) = self.router.upgrade() else {
            return;
        };
        let RelayedCommands {
            token,
            key,
            origin,
            ticket,
            text,
        } = commands;
        let message_bytes = router.limits().message_bytes;
        let outcome = self.inputs.offer(&token, &key, text.expose(), message_bytes);
        let answer = NodeMessage::CommandsAnswer { ticket, outcome };
        if let Err(error) = router.relay(&origin, &answer) {
            tracing::debug!(%error, "an answer to relayed commands was not sent; the other node waits in vain");
        }
    }

    fn on_answer(&self, ticket: u64, outcome: RelayOutcome) {
        if let Some(answer) = self.waiting.lock().remove(&ticket) {
            // Its request may be gone by now.
            let _ = answer.send(outcome);
        }
    }
}
