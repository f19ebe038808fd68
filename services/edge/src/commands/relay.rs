//! Requests for a session on another node: the client names the node, as its `welcome` did. The answer comes back over the
//! node channels, so a client knows that its commands have arrived. Not the commands themselves.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_core::{Relay, Router};
use switchboard_protocol::{
    NodeId, NodeMessage, PeerKey, RelayBody, RelayOutcome, RelayRequest, ResumeToken, Secret,
};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::task::TaskTracker;

use super::input::Inputs;
use crate::transport::poll::PollBuffer;

/// How long the other node may take to answer, beyond the wait of a poll.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Requests that wait for an answer of another node, at most; and polls of other nodes that wait here.
const MAX_WAITING: usize = 4096;

/// Why a request got no answer of the session's node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelayError {
    /// Too many requests wait, or the bus took no message.
    Busy,
    /// The node did not answer; commands may have arrived.
    NoAnswer,
}

/// The relay of one node.
pub(crate) struct HttpRelay {
    inputs: Arc<Inputs>,
    /// The router owns the relay.
    router: Weak<Router>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<RelayOutcome>>>,
    /// Polls of other nodes that wait for events here.
    polls: TaskTracker,
}

impl HttpRelay {
    /// Enters itself as the relay of `router`; `polls` has its tasks.
    pub(crate) fn new(router: &Arc<Router>, polls: TaskTracker) -> Arc<Self> {
        let relay = Arc::new(Self {
            inputs: Arc::default(),
            router: Arc::downgrade(router),
            waiting: Mutex::default(),
            polls,
        });
        router.set_relay(Arc::<Self>::clone(&relay));
        relay
    }

    /// The connections of this node that take commands over HTTP.
    pub(crate) fn inputs(&self) -> &Arc<Inputs> {
        &self.inputs
    }

    /// Sends a request to `node`, and awaits what became of it.
    pub(crate) async fn send(
        &self,
        node: &NodeId,
        token: ResumeToken,
        key: &PeerKey,
        body: RelayBody,
    ) -> Result<RelayOutcome, RelayError> {
        let router = self.router.upgrade().ok_or(RelayError::Busy)?;
        let (ticket, answer) = self.take_ticket().ok_or(RelayError::Busy)?;
        let _place = Place { relay: self, ticket };
        let patience = match &body {
            RelayBody::Commands(_) => ANSWER_TIMEOUT,
            RelayBody::Poll { wait_ms, .. } => ANSWER_TIMEOUT + Duration::from_millis(*wait_ms),
        };
        let request = RelayRequest {
            token,
            key: key.clone(),
            origin: router.node().clone(),
            ticket,
            body,
        };
        let message = NodeMessage::Relay(Box::new(request));
        router.relay(node, key, &message).map_err(|_| RelayError::Busy)?;
        let answered = timeout(patience, answer).await;
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

    /// Answers a poll of another node when there are events.
    fn poll(&self, router: Arc<Router>, events: Arc<PollBuffer>, request: Poll) -> Option<RelayOutcome> {
        if self.polls.len() >= MAX_WAITING {
            return Some(RelayOutcome::Busy);
        }
        self.polls.spawn(async move {
            let batch = events.poll(request.confirmed, request.wait).await;
            // Frames are JSON, so they are UTF-8.
            let frames = String::from_utf8(batch.frames).unwrap_or_default();
            let outcome = RelayOutcome::Batch {
                number: batch.number,
                frames: Secret::new(frames),
            };
            answer(&router, &request.key, &request.origin, request.ticket, outcome);
        });
        None
    }
}

/// A poll that another node relayed.
struct Poll {
    key: PeerKey,
    origin: NodeId,
    ticket: u64,
    confirmed: Option<u64>,
    wait: Duration,
}

fn answer(router: &Router, key: &PeerKey, origin: &NodeId, ticket: u64, outcome: RelayOutcome) {
    let answer = NodeMessage::RelayAnswer { ticket, outcome };
    if let Err(error) = router.relay(origin, key, &answer) {
        tracing::debug!(%error, "an answer to a relayed request was not sent; the other node waits in vain");
    }
}

/// Given back however the request ends.
struct Place<'a> {
    relay: &'a HttpRelay,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.relay.waiting.lock().remove(&self.ticket);
    }
}

impl Relay for HttpRelay {
    fn on_request(&self, request: RelayRequest) {
        let Some(router) = self.router.upgrade() else {
            return;
        };
        let RelayRequest {
            token,
            key,
            origin,
            ticket,
            body,
        } = request;
        let outcome = match body {
            RelayBody::Commands(text) => {
                let message_bytes = router.limits().message_bytes;
                Some(self.inputs.offer(&token, &key, text.expose(), message_bytes))
            }
            RelayBody::Poll { confirmed, wait_ms } => match self.inputs.events(&token, &key) {
                Some(events) => {
                    let poll = Poll {
                        key: key.clone(),
                        origin: origin.clone(),
                        ticket,
                        confirmed,
                        wait: Duration::from_millis(wait_ms).min(router.limits().heartbeat),
                    };
                    self.poll(Arc::clone(&router), events, poll)
                }
                None => Some(RelayOutcome::NoSession),
            },
        };
        if let Some(outcome) = outcome {
            answer(&router, &key, &origin, ticket, outcome);
        }
    }

    fn on_answer(&self, ticket: u64, outcome: RelayOutcome) {
        if let Some(answer) = self.waiting.lock().remove(&ticket) {
            // Its request may be gone by now.
            let _ = answer.send(outcome);
        }
    }
}
