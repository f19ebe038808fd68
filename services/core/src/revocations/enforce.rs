//! Revoking and kicking: the change to store, and the open connections that end. A connection is noted before its token is
//! checked once more, and a revocation is added before connections are looked for. So each connection is found.

use hashbrown::HashSet;
use switchboard_protocol::{
    CloseCode, Grant, LeaveReason, PeerKey, Revocation, RevocationStatus, RevokedTokens,
};
use switchboard_telemetry::{Budget, BudgetScope};

use crate::{
    broker::{claim::EndedSession, error::BrokerError},
    observer::NodeEvent,
    revocations::{Revocations, RevokeError},
    router::Router,
    session::handle::Session,
};

impl Router {
    /// The revocations that this node knows.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.context().revocations
    }

    /// Refuses tokens until their end, on every node: new connections get 401, open ones are closed with 4401. Returns when
    /// the broker has stored it; nodes hear of it in the same moment. `now_s`: seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`RevokeError`]; after [`RevokeError::Broker`] it may be in force or not, and the call can be repeated.
    pub async fn revoke(&self, revocation: &Revocation, now_s: u64) -> Result<(), RevokeError> {
        let cx = self.context();
        let max = cx.limits.revocations_per_tenant;
        let planned = cx.revocations.plan(revocation, max, now_s);
        if matches!(planned, Err(RevokeError::Full { .. })) {
            cx.telemetry
                .budget_refused(Budget::Revocations, BudgetScope::Tenant);
        }
        if let Some(change) = planned? {
            cx.broker()?.revoke(&change).await?;
            self.revoked(vec![change.revocation], now_s);
        }
        Ok(())
    }

    /// Notes the token of a connection, the first one or a newer one, and returns its status.
    #[must_use]
    pub fn note_token(&self, session: &Session, grant: &Grant, now_s: u64) -> RevocationStatus {
        let revocations = self.revocations();
        let id_hash = grant
            .token_id
            .as_ref()
            .map_or(0, |id| revocations.hash(grant.peer.tenant(), id));
        session
            .token_fingerprint()
            .set(id_hash, grant.issued_at.unwrap_or(0));
        revocations.status(grant, now_s)
    }

    /// Ends the session of `peer` on any node: an open connection is closed with 4403, and a detached session
    /// cannot be resumed. It leaves its rooms with the reason `kicked`. Returns once the session has ended: whether there
    /// was one.
    ///
    /// # Errors
    /// [`BrokerError`] when that is not known; the call can be repeated.
    pub async fn kick(&self, peer: &PeerKey) -> Result<bool, BrokerError> {
        let cx = self.context();
        let here = cx.registry.attached(peer.as_str());
        if let Some(session) = &here {
            session.close(CloseCode::Kicked);
        }
        match cx.broker()?.end_session(peer).await {
            Ok(Some(EndedSession::Detached { session, rooms })) => {
                self.room_side().end_recorded(peer, &rooms, LeaveReason::Kicked);
                cx.observe(|| NodeEvent::Ended { peer, session });
                Ok(true)
            }
            // Its own node has reported its end.
            Ok(Some(EndedSession::Attached)) => Ok(true),
            Ok(None) => Ok(here.is_some()),
            // The record goes when the bus is back; the connection is gone now.
            Err(BrokerError::Unavailable) if here.is_some() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Another node, or this one, has revoked tokens.
    pub(crate) fn revoked(&self, revocations: Vec<Revocation>, now_s: u64) {
        let new = self.revocations().add(revocations, now_s);
        self.close_revoked(&new);
    }

    /// The broker has read all revocations; returns those that it lacks.
    pub(crate) fn revocations_read(&self, stored: Vec<Revocation>, now_s: u64) -> Vec<Revocation> {
        let known: HashSet<(String, u64)> = stored.iter().map(text_and_end).collect();
        self.revoked(stored, now_s);
        self.revocations().set_known();
        self.context().telemetry.revocations_known();
        let mut lacking = self.revocations().list();
        lacking.retain(|revocation| now_s < revocation.until_s && !known.contains(&text_and_end(revocation)));
        lacking
    }

    /// Closes the open connections whose tokens `new` concerns. One pass over all sessions, however many there are.
    fn close_revoked(&self, new: &[Revocation]) {
        let cx = self.context();
        cx.telemetry.revocations(self.revocations().len());
        let mut ids = HashSet::new();
        for revocation in new {
            match &revocation.tokens {
                RevokedTokens::Id(id) => {
                    ids.insert(self.revocations().hash(revocation.tenant.as_str(), id));
                }
                RevokedTokens::OfPeer {
                    peer,
                    issued_before_s,
                } => {
                    let key = PeerKey::new(revocation.tenant.as_str(), peer);
                    let session = cx.registry.attached(key.as_str());
                    let session = session
                        .filter(|session| session.token_fingerprint().is_issued_before(*issued_before_s));
                    if let Some(session) = session {
                        session.close(CloseCode::TokenEnded);
                    }
                }
            }
        }
        if ids.is_empty() {
            return;
        }
        let marked = cx
            .registry
            .select(|session| ids.contains(&session.token_fingerprint().id_hash()));
        for session in marked {
            session.close(CloseCode::TokenEnded);
        }
    }
}

fn text_and_end(revocation: &Revocation) -> (String, u64) {
    (revocation.text(), revocation.until_s)
}
