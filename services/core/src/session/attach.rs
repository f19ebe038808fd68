//! Attaching: the peer is subscribed and claimed on the bus, its older session closed, its offline queue
//! delivered. Resuming an earlier session is in `resume`.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::{CloseCode, LeaveReason, NodeMessage, PeerKey, ResumeToken, SessionId};
use switchboard_telemetry::ResumeOutcome;

use super::{
    handle::Session,
    lifecycle::{Attached, Continuation, Lifecycle},
    request::AttachRequest,
    snapshot::SessionSnapshot,
};
use crate::{
    broker::{
        claim::{Claim, ClaimOutcome, ConflictPolicy, PreviousOwner},
        error::BrokerError,
    },
    observer::NodeEvent,
};

/// How long the node that owns a resumed session has to detach it in order, before it is taken over. A dead
/// node costs a resume this long.
const DETACH_TIMEOUT: Duration = Duration::from_millis(300);

/// How long the client of a live owner has to answer before another connection of its peer ID is accepted. A
/// bit longer than the owner's node waits for its client.
const PROBE_TIMEOUT: Duration = Duration::from_millis(2_500);

impl Lifecycle {
    /// Attaches `key`: subscribed and claimed before this returns, an older session of the same peer closed on
    /// any node.
    ///
    /// # Errors
    /// [`BrokerError`] when the bus is reachable but refuses, or when a live connection must not be displaced.
    /// An unreachable bus is no error: peers of one node can still reach each other.
    pub(crate) async fn attach(
        &self,
        key: &PeerKey,
        request: AttachRequest,
    ) -> Result<Attached, BrokerError> {
        let order = self.next_order();
        if let Some((token, seen)) = request.resume {
            let on_conflict = ConflictPolicy::DetachThenTakeOver(DETACH_TIMEOUT);
            match self.claim(key, token, true, on_conflict).await {
                Ok(claimed) => {
                    let (session, claimed, continuation) =
                        self.resumed(key, order, token, seen, request.acks, claimed);
                    let attached = self.enter(key, session, token, claimed, continuation)?;
                    self.parts.sender.arm_streams(&attached.session);
                    return Ok(attached);
                }
                Err(BrokerError::NotResumable | BrokerError::Unavailable) => {
                    self.cx.telemetry.resumed(ResumeOutcome::Refused);
                }
                Err(
                    error @ (BrokerError::QueueFull
                    | BrokerError::Unsettled
                    | BrokerError::Superseded
                    | BrokerError::InUse
                    | BrokerError::BadCursor
                    | BrokerError::OtherVersion
                    | BrokerError::Refused),
                ) => return Err(error),
            }
        }
        let token = ResumeToken::new(SessionId::from_bytes(rand::random()), rand::random());
        let on_conflict = if request.reject {
            ConflictPolicy::ProbeThenReject(PROBE_TIMEOUT)
        } else {
            ConflictPolicy::TakeOver
        };
        let mut claimed = self.claim(key, token, false, on_conflict).await?;
        let session = self.new_session(key, token, order, &claimed);
        if let Some(snapshot) = claimed.snapshot.take() {
            // Another session's numbers and tail mean nothing here, but what its senders had delivered stays so.
            let delivered = SessionSnapshot {
                last_seq: 0,
                tail: Vec::new(),
                accepted: snapshot.accepted,
            };
            session.restore(delivered, 0, self.cx.now());
        }
        let continuation = Continuation {
            resumed: false,
            gap: request.resume.is_some(),
            room_gap: false,
        };
        self.enter(key, session, token, claimed, continuation)
    }

    async fn claim(
        &self,
        key: &PeerKey,
        token: ResumeToken,
        resume: bool,
        on_conflict: ConflictPolicy,
    ) -> Result<ClaimOutcome, BrokerError> {
        let claim = Claim {
            token,
            resume,
            on_conflict,
            window: self.cx.limits.resume_window,
        };
        self.cx.broker()?.attach(key, claim).await
    }

    /// From here on other peers find the session.
    fn enter(
        &self,
        key: &PeerKey,
        session: Arc<Session>,
        token: ResumeToken,
        claimed: ClaimOutcome,
        continuation: Continuation,
    ) -> Result<Attached, BrokerError> {
        let (cx, id) = (&*self.cx, session.id());
        let broker = cx.broker()?;
        // Before anybody finds the session: the offline queue comes before newer messages.
        self.parts
            .receiver
            .deliver_stored(&session, &claimed.offline_queue);
        if !continuation.resumed {
            // The claim took the record, so no later one finds the rooms of the session before.
            let rooms = &self.parts.rooms;
            rooms.end_recorded(key, &claimed.rooms, LeaveReason::Left);
        }
        let Ok(replaced) = cx.registry.insert(&session) else {
            broker.detach(key, id, claimed.fence, None);
            self.parts.rooms.end_session(&session, LeaveReason::Left);
            return Err(BrokerError::Superseded);
        };
        if let Some(older) = replaced.filter(|older| older.id() != id) {
            cx.telemetry.takeover();
            older.close(CloseCode::Replaced);
        }
        if let Some(previous) = claimed.previous.filter(|previous| previous.node != cx.node) {
            cx.telemetry.takeover();
            self.report_takeover(key, &previous, claimed.fence);
        }
        if continuation.resumed {
            self.parts
                .rooms
                .resume(&session, &claimed.rooms, continuation.room_gap);
        }
        cx.observe(|| NodeEvent::Attached {
            peer: key,
            session: id,
            fence: session.fence(),
            resumed: continuation.resumed,
        });
        Ok(Attached {
            session,
            token,
            continuation,
        })
    }

    fn report_takeover(&self, key: &PeerKey, previous: &PreviousOwner, fence: u64) {
        let takeover = NodeMessage::Takeover {
            key: key.clone(),
            session: previous.session,
            fence,
        };
        if let Err(error) = self.cx.send_to_node(&previous.node, key, &takeover) {
            tracing::warn!(node = %previous.node, %error, "could not tell a node that it lost a session");
        }
    }
}
