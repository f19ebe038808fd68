//! A connection's grip on its session: while it lives the session is attached.

use std::sync::Arc;

use switchboard_protocol::{LeaveReason, PeerKey, ResumeToken};
use switchboard_telemetry::SessionGuard;

use crate::{
    broker::error::BrokerError,
    router::Router,
    session::{
        handle::Session,
        lifecycle::{Attached, Continuation},
        request::{AttachRequest, OnDisconnect},
    },
};

impl Router {
    /// Attaches `key`: subscribed and claimed before this returns, an older session of the same peer closed on
    /// any node.
    ///
    /// # Errors
    /// [`BrokerError`] when the bus is reachable but refuses, or when a live connection must not be displaced.
    /// An unreachable bus is no error: peers of one node can still reach each other.
    pub async fn attach(
        self: &Arc<Self>,
        key: &PeerKey,
        request: AttachRequest,
    ) -> Result<Attachment, BrokerError> {
        let Attached {
            session,
            token,
            continuation,
        } = self.lifecycle().attach(key, request).await?;
        Ok(Attachment {
            _gauge: self.telemetry().session_opened(),
            router: Arc::clone(self),
            session,
            token,
            continuation,
            on_disconnect: OnDisconnect::Detach,
            leave_reason: LeaveReason::Lost,
        })
    }
}

/// A session attached to this node. Dropping it detaches the session.
pub struct Attachment {
    router: Arc<Router>,
    session: Arc<Session>,
    token: ResumeToken,
    continuation: Continuation,
    on_disconnect: OnDisconnect,
    leave_reason: LeaveReason,
    _gauge: SessionGuard,
}

impl Attachment {
    /// The attached session.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The router it is attached to.
    #[must_use]
    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// With which the session can be resumed.
    #[must_use]
    pub fn token(&self) -> ResumeToken {
        self.token
    }

    /// Whether an earlier connection's session continues.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.continuation.resumed
    }

    /// Whether something of an earlier connection may be missing.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        self.continuation.gap
    }

    /// Answers a probe: the client is alive.
    pub fn touch(&self) {
        self.router.touch(&self.session);
    }

    /// Decides what happens to the session when this is dropped, and what the members of its rooms hear when it is
    /// over.
    pub fn on_disconnect(&mut self, on_disconnect: OnDisconnect, leave_reason: LeaveReason) {
        self.on_disconnect = on_disconnect;
        self.leave_reason = leave_reason;
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.router
            .lifecycle()
            .release(&self.session, self.on_disconnect, self.leave_reason);
    }
}
