//! Who calls the backend API: a token of the role `backend`, within its rate and with a place among the calls of its
//! tenant. Not what it asks for.

use std::{sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::request::Parts;
use switchboard_protocol::{Grant, PeerKey, Role, RoomKey};

use super::{failure, places::CallPlace};
use crate::{admission, problem::Problem, state::Edge};

/// When a tenant may call again that has all its places taken.
const PLACE_RETRY: Duration = Duration::from_secs(1);

/// A caller that may act within its tenant.
pub(crate) struct Caller {
    pub(super) edge: Arc<Edge>,
    pub(super) grant: Grant,
    _place: CallPlace,
}

impl Caller {
    /// Decides on the request of `parts`.
    pub(crate) async fn admit(edge: &Arc<Edge>, parts: &Parts) -> Result<Self, Problem> {
        let verified = admission::verify_header(edge, parts).await;
        let grant = verified.map_err(|refusal| refusal.counted(edge))?;
        match grant.role {
            Role::Backend => {}
            Role::Peer => {
                return Err(failure::not_allowed(
                    "this call needs a token with `switchboard.role: backend`",
                ));
            }
        }
        let account = edge.router.account(&grant.peer);
        account.apply(grant.limits.as_deref());
        account.take_command().map_err(|wait| {
            failure::too_many("this token calls more often than limits.messages_per_second").retry_after(wait)
        })?;
        let place = edge.calls.take(grant.peer.tenant()).ok_or_else(|| {
            failure::too_many("the tenant has limits.api_calls_per_tenant calls under way")
                .retry_after(PLACE_RETRY)
        })?;
        Ok(Self {
            edge: Arc::clone(edge),
            grant,
            _place: place,
        })
    }

    /// The peer of that name in the caller's tenant, if the token's `switchboard.send` allows it.
    pub(super) fn peer(&self, name: &str) -> Result<PeerKey, Problem> {
        let peer = self.grant.peer.sibling(name);
        let peer = peer.map_err(|error| failure::bad_name("peer", &error))?;
        if self.grant.send.allow(name) {
            Ok(peer)
        } else {
            Err(failure::not_allowed(
                "the token's `switchboard.send` does not allow this peer",
            ))
        }
    }

    /// Allows a call that may concern any peer of the tenant, if the token's `switchboard.send` allows every peer.
    pub(super) fn any_peer(&self) -> Result<(), Problem> {
        match self.grant.send.is_any() {
            true => Ok(()),
            false => Err(failure::not_allowed(
                "a `jti` may be that of any peer, and the token's `switchboard.send` does not allow every peer",
            )),
        }
    }

    /// The room of that name in the caller's tenant, if the token's `switchboard.rooms` allows it.
    pub(super) fn room(&self, name: &str) -> Result<RoomKey, Problem> {
        let room = self.grant.peer.room(name);
        let room = room.map_err(|error| failure::bad_name("room", &error))?;
        if self.grant.rooms.allow(name) {
            Ok(room)
        } else {
            Err(failure::not_allowed(
                "the token's `switchboard.rooms` does not allow this room",
            ))
        }
    }
}

impl FromRequestParts<Arc<Edge>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Problem> {
        Self::admit(edge, parts).await
    }
}
