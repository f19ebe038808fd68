//! Attaching a peer to this node and letting it go again: subscribed and claimed on the bus, a session taken
//! up where it was left, an older one told to leave. What then happens to messages is the router's.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use switchboard_protocol::{CloseCode, ErrorCode, MessageId, NodeMessage, PeerKey, ResumeToken, SessionId};
use switchboard_telemetry::{ResumeOutcome, SessionGuard};

use crate::{
    AckTo, BrokerError, Claim, ClaimOutcome, ConflictPolicy, Retention, Router, Session, SessionSnapshot,
    outbox::FIRST_RETRY, schedule::StreamRef, send_queue::Undelivered,
};

/// How long the node that still holds a resumed session has to detach it in order, before it is taken over.
/// A dead node costs a resume this long.
const YIELD: Duration = Duration::from_millis(300);

/// How long a living holder has to be heard from before another connection of its peer ID is refused. A bit
/// longer than the holder's node waits for its client.
const PROBE: Duration = Duration::from_millis(2_500);

/// What a client wants of its session.
#[derive(Debug, Clone, Default)]
pub struct AttachRequest {
    /// The session to go on with, and the number of the last event that the client has of it.
    pub resume: Option<(ResumeToken, u64)>,
    /// Whether the client acknowledges what it has processed.
    pub acks: bool,
    /// Whether a living older connection of this peer is to stay.
    pub reject: bool,
}

/// What becomes of the session when its connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisconnect {
    /// The client may come back: the session is kept for the resume window.
    #[default]
    Detach,
    /// The client said good-bye, or must not come back: the session ends.
    End,
}

impl Router {
    /// Attaches `key`: subscribed and claimed before this returns, an older session of the same peer closed
    /// wherever it is.
    ///
    /// # Errors
    /// [`BrokerError`] when the bus is reachable but refuses, or a living connection is not to be displaced.
    /// An unreachable bus is no error: peers of one node go on talking through an outage.
    pub async fn attach(
        self: &Arc<Self>,
        key: &PeerKey,
        wish: AttachRequest,
    ) -> Result<Attachment, BrokerError> {
        let order = self.attaches.fetch_add(1, Ordering::Relaxed);
        if let Some((token, seen)) = wish.resume {
            match self
                .claim(key, token, true, ConflictPolicy::DetachThenTakeOver(YIELD))
                .await
            {
                Ok(attached) => return self.resumed(key, order, token, seen, wish.acks, attached),
                Err(BrokerError::NotResumable | BrokerError::Unavailable) => {
                    self.telemetry.resumed(ResumeOutcome::Refused);
                }
                Err(
                    error @ (BrokerError::QueueFull
                    | BrokerError::Unsettled
                    | BrokerError::Superseded
                    | BrokerError::InUse
                    | BrokerError::Refused),
                ) => return Err(error),
            }
        }
        let token = ResumeToken::new(SessionId::from_bytes(rand::random()), rand::random());
        let if_held = if wish.reject {
            ConflictPolicy::ProbeThenReject(PROBE)
        } else {
            ConflictPolicy::TakeOver
        };
        let mut attached = self.claim(key, token, false, if_held).await?;
        let since_s = self.second(self.now());
        let peer = Session::new(key.clone(), token.session, order, attached.fence, since_s);
        if let Some(saved) = attached.saved.take() {
            // Another session's numbers and tail mean nothing here, but what its senders had delivered stays so.
            let marks = SessionSnapshot {
                last_seq: 0,
                tail: Vec::new(),
                marks: saved.marks,
            };
            peer.restore(marks, 0, self.now());
        }
        let gap = wish.resume.is_some();
        self.enter(key, peer, token, attached, Continuation { resumed: false, gap })
    }

    async fn claim(
        &self,
        key: &PeerKey,
        token: ResumeToken,
        resume: bool,
        if_held: ConflictPolicy,
    ) -> Result<ClaimOutcome, BrokerError> {
        let broker = self.broker.get().ok_or(BrokerError::Unavailable)?;
        let claim = Claim {
            token,
            resume,
            if_held,
            window: self.limits.resume_window,
        };
        broker.attach(key, claim).await
    }

    /// The session goes on here, with what this node or the record has of it.
    fn resumed(
        self: &Arc<Self>,
        key: &PeerKey,
        order: u64,
        token: ResumeToken,
        seen: u64,
        acks: bool,
        mut attached: ClaimOutcome,
    ) -> Result<Attachment, BrokerError> {
        let since_s = self.second(self.now());
        let peer = Session::new(key.clone(), token.session, order, attached.fence, since_s);
        let earlier = self.registry.session(token.session);
        let mut saved = attached.saved.take();
        if let Some(earlier) = &earlier {
            if !earlier.is_gone() {
                let given_back = self.return_undelivered(earlier);
                // If the session was on another node meanwhile, what this one has of it is stale.
                let was_here = attached
                    .previous
                    .as_ref()
                    .is_some_and(|previous| previous.node == self.node);
                if was_here {
                    saved = Some(given_back);
                }
                earlier.close(CloseCode::Normal);
            }
            *peer.outbox.lock() = earlier.outbox.lock().take();
        }
        // With `acks=client` nothing is acknowledged to a sender that the client did not acknowledge. With
        // `acks=socket` something is lost if the last node wrote more than the client has, or cannot say.
        let gap = !acks && saved.as_ref().is_none_or(|saved| saved.last_seq > seen);
        peer.restore(saved.unwrap_or_default(), seen, self.now());
        self.telemetry.resumed(if gap {
            ResumeOutcome::Gap
        } else {
            ResumeOutcome::Complete
        });
        let attachment = self.enter(key, peer, token, attached, Continuation { resumed: true, gap })?;
        self.arm_streams(attachment.peer());
        Ok(attachment)
    }

    fn enter(
        self: &Arc<Self>,
        key: &PeerKey,
        peer: Arc<Session>,
        token: ResumeToken,
        attached: ClaimOutcome,
        continuation: Continuation,
    ) -> Result<Attachment, BrokerError> {
        let broker = self.broker.get().ok_or(BrokerError::Unavailable)?;
        let session = peer.session();
        // Before the peer is found by anybody: what was kept comes before what is sent now.
        self.put_mail(&peer, attached.mail);
        let Ok(replaced) = self.registry.insert(&peer) else {
            broker.detach(key, session, attached.fence, None);
            return Err(BrokerError::Superseded);
        };
        if let Some(old) = replaced.filter(|old| old.session() != session) {
            self.telemetry.takeover();
            old.close(CloseCode::Replaced);
        }
        if let Some(previous) = attached.previous.filter(|previous| previous.node != self.node) {
            self.telemetry.takeover();
            let takeover = NodeMessage::Takeover {
                key: key.clone(),
                session: previous.session,
                fence: attached.fence,
            };
            if let Err(error) = broker.send_to_node(&previous.node, takeover.encode()) {
                tracing::warn!(node = %previous.node, %error, "could not tell a node that it lost a session");
            }
        }
        Ok(Attachment {
            _gauge: self.telemetry.session_opened(),
            router: Arc::clone(self),
            peer,
            token,
            continuation,
            parting: OnDisconnect::Detach,
        })
    }

    /// Takes from a connection that ends what it has not done: the senders are asked for it again.
    fn return_undelivered(&self, peer: &Session) -> SessionSnapshot {
        let Undelivered { saved, undone } = peer.abandon();
        for (mid, ack) in undone {
            let MessageId::Client(id) = mid.id else { continue };
            match ack {
                AckTo::Nobody => {}
                AckTo::Local => self.hold(mid.session, id, ErrorCode::Timeout),
                AckTo::Node(node) => {
                    self.acknowledge(&node, mid.session, id, switchboard_protocol::AckOutcome::Busy);
                }
            }
        }
        saved
    }

    /// Sends that an earlier connection of this session left are looked after for this one.
    fn arm_streams(&self, peer: &Arc<Session>) {
        let slot = peer.outbox.lock();
        let receivers: Vec<_> = slot
            .iter()
            .flat_map(|outbox| outbox.receivers().cloned())
            .collect();
        drop(slot);
        for to in receivers {
            let sender = Arc::downgrade(peer);
            self.schedule
                .arm(self.now() + FIRST_RETRY, StreamRef { sender, to });
        }
    }

    fn let_go(&self, peer: &Session, parting: OnDisconnect) {
        let is_current = self.registry.leave(peer);
        let saved = self.return_undelivered(peer);
        let window = self.limits.resume_window;
        let is_kept = parting == OnDisconnect::Detach && !window.is_zero();
        if is_current && let Some(broker) = self.broker.get() {
            let saved = Some(saved);
            let keep = is_kept.then_some(Retention { saved, window });
            broker.detach(peer.key(), peer.session(), peer.fence(), keep);
        }
        let mut slot = peer.outbox.lock();
        let dropped = slot.as_mut().map_or(0, |outbox| outbox.drop_queued());
        self.telemetry
            .pending_sends(-i64::try_from(dropped).unwrap_or(i64::MAX));
        if slot.as_ref().is_none_or(|outbox| outbox.is_empty()) {
            self.registry.forget(peer);
        }
    }
}

/// How a connection goes on from an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Continuation {
    resumed: bool,
    gap: bool,
}

/// A peer attached to this node. Dropping it detaches the peer.
pub struct Attachment {
    router: Arc<Router>,
    peer: Arc<Session>,
    token: ResumeToken,
    continuation: Continuation,
    parting: OnDisconnect,
    _gauge: SessionGuard,
}

impl Attachment {
    /// The attached peer.
    #[must_use]
    pub fn peer(&self) -> &Arc<Session> {
        &self.peer
    }

    /// The router it is attached to.
    #[must_use]
    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// With what the session can be resumed.
    #[must_use]
    pub fn token(&self) -> ResumeToken {
        self.token
    }

    /// Whether an earlier connection's session goes on.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.continuation.resumed
    }

    /// Whether something of an earlier connection could be missing.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.continuation.gap
    }

    /// The client was just heard, and somebody had asked.
    pub fn touch(&self) {
        if let Some(broker) = self.router.broker.get() {
            broker.touch(self.peer.key(), self.peer.session());
        }
    }

    /// Decides what becomes of the session when this is dropped.
    pub fn part(&mut self, parting: OnDisconnect) {
        self.parting = parting;
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.router.let_go(&self.peer, self.parting);
    }
}
