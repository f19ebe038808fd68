//! Resuming: a session continues on this connection, with what this node or the shared record has of it.

use std::sync::Arc;

use switchboard_protocol::{CloseCode, PeerKey, ResumeToken};
use switchboard_telemetry::ResumeOutcome;

use super::{
    handle::Session,
    lifecycle::{Continuation, Lifecycle},
    snapshot::SessionSnapshot,
};
use crate::{broker::claim::ClaimOutcome, send::sender::Sender as _};

/// The highest number of an event that a client may have seen where no snapshot says it: what JSON carries exactly in
/// every language. The numbers after it do not wrap.
const MAX_SEEN: u64 = 1 << 53;

impl Lifecycle {
    /// A session for a claim that this node has just got.
    pub(super) fn new_session(
        &self,
        key: &PeerKey,
        token: ResumeToken,
        order: u64,
        claimed: &ClaimOutcome,
    ) -> Arc<Session> {
        let now = self.cx.now();
        let (since_s, account) = (self.cx.second(now), self.cx.budgets.account(key, now));
        Session::new(key.clone(), token.session, order, claimed.fence, since_s, account)
    }

    /// The claim of an earlier session succeeded: continues it.
    pub(super) fn resumed(
        &self,
        key: &PeerKey,
        order: u64,
        token: ResumeToken,
        seen: u64,
        acks: bool,
        mut claimed: ClaimOutcome,
    ) -> (Arc<Session>, ClaimOutcome, Continuation) {
        let session = self.new_session(key, token, order, &claimed);
        let mut snapshot = claimed.snapshot.take();
        let mut has_lost = false;
        if let Some(earlier) = self.cx.registry.session(token.session) {
            if !earlier.is_gone() {
                let own = self.close_earlier(&earlier);
                // If the session was on another node in the meantime, what this one has of it is stale.
                let previous = claimed.previous.as_ref();
                if previous.is_some_and(|previous| previous.node == self.cx.node) {
                    snapshot = Some(own);
                }
            }
            session.inherit_outbox(&earlier);
            has_lost = earlier.has_lost_room_messages();
        }
        // A client cannot have seen what was never sent. Without a snapshot nobody knows how far the session got.
        let sent = snapshot.as_ref().map_or(MAX_SEEN, |snapshot| snapshot.last_seq);
        let seen = seen.min(sent);
        // With `acks=client` nothing is acknowledged to a sender that the client did not acknowledge. With
        // `acks=socket` something is lost if the last node wrote more than the client has, or cannot say.
        let has_unseen = snapshot.as_ref().is_none_or(|snapshot| snapshot.last_seq > seen);
        let gap = !acks && has_unseen;
        session.restore(snapshot.unwrap_or_default(), seen, self.cx.now());
        let outcome = if gap {
            ResumeOutcome::Gap
        } else {
            ResumeOutcome::Complete
        };
        self.cx.telemetry.resumed(outcome);
        let continuation = Continuation {
            resumed: true,
            gap,
            room_gap: has_lost || has_unseen,
        };
        (session, claimed, continuation)
    }

    /// The session's earlier connection still hangs on this node.
    fn close_earlier(&self, earlier: &Session) -> SessionSnapshot {
        let snapshot = self.return_undelivered(earlier);
        earlier.close(CloseCode::Normal);
        snapshot
    }
}
