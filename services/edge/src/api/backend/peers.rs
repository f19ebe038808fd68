//! `GET` and `DELETE /v1/peers/{peer}`: where a peer is, and the end of its session.

use axum::Json;
use serde::{Deserialize, Serialize};
use switchboard_core::Presence;
use switchboard_protocol::{NodeId, PeerId, PresenceState, Revocation, RevokedTokens, RoomId};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    failure,
    input::{Names, Parameters},
    revocations,
};
use crate::{clock::unix_now, problem::Problem};

/// Where a peer is.
#[derive(Serialize, ToSchema)]
pub(super) struct PeerStatus {
    peer: PeerId,
    state: PresenceState,
    /// The node to which it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    node: Option<NodeId>,
    /// How long ago its session was claimed by this node, in milliseconds: it connected or resumed then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    connected_for_ms: Option<u64>,
    /// The rooms that its session is in, or enters again with a resume, by name. Those that the token allows.
    rooms: Vec<RoomId>,
}

/// Returns the state of a peer, its rooms, and its node if it is connected.
#[utoipa::path(
    get,
    path = "/v1/peers/{peer}",
    tag = "peers",
    params(("peer" = PeerId, Path, description = "The peer.")),
    responses((status = 200, description = "Also for a peer that is offline.", body = PeerStatus))
)]
pub(super) async fn get_peer(
    caller: Caller,
    Names(peer): Names<String>,
) -> Result<Json<PeerStatus>, Problem> {
    let peer = caller.peer(&peer)?;
    let located = caller
        .edge
        .router
        .locate(&peer)
        .await
        .map_err(failure::of_broker)?;
    let state = located.presence.state();
    let mut rooms = match state {
        PresenceState::Online | PresenceState::Detached => {
            let rooms = caller.edge.router.rooms_of(&peer).await;
            rooms.map_err(failure::of_broker)?
        }
        PresenceState::Offline => Vec::new(),
    };
    rooms.retain(|room| caller.grant.rooms.allow(room.as_str()));
    let node = match located.presence {
        Presence::Attached { node } => Some(node),
        Presence::Offline | Presence::Detached | Presence::Orphaned => None,
    };
    let claimed_for_ms = u64::try_from(located.claimed_for.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(PeerStatus {
        peer: peer.peer_id(),
        state,
        connected_for_ms: node.is_some().then_some(claimed_for_ms),
        node,
        rooms,
    }))
}

/// What a kick does beyond the end of the session.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KickParameters {
    revoke_until: Option<u64>,
}

/// The peer that was kicked.
#[derive(Serialize, ToSchema)]
pub(super) struct KickedPeer {
    peer: PeerId,
    /// Whether it had a session, which has ended.
    had_session: bool,
}

/// Ends the session of a peer: its connection closes with 4403, and the session cannot be resumed.
#[utoipa::path(
    delete,
    path = "/v1/peers/{peer}",
    tag = "peers",
    params(
        ("peer" = PeerId, Path, description = "The peer."),
        ("revoke_until" = Option<u64>, Query, maximum = 100_000_000_000_u64, description = "Also refuses the tokens of the peer that were issued until \
            now, until this time in seconds since the Unix epoch."),
    ),
    responses(
        (status = 200, description = "The peer has no session.", body = KickedPeer),
        (status = 409, description = "`too-many-revocations`: the tenant has limits.revocations_per_tenant in force."),
        (status = 422, description = "`bad-time`: `revoke_until` has passed, or is in milliseconds."),
    )
)]
pub(super) async fn kick_peer(
    caller: Caller,
    Names(peer): Names<String>,
    Parameters(parameters): Parameters<KickParameters>,
) -> Result<Json<KickedPeer>, Problem> {
    let peer = caller.peer(&peer)?;
    // Before the kick: the client must not come back between both.
    if let Some(until_s) = parameters.revoke_until {
        let tokens = RevokedTokens::OfPeer {
            peer: peer.peer_id(),
            // A token of this very second too.
            issued_before_s: unix_now().as_secs() + 1,
        };
        let revocation = Revocation {
            tenant: peer.tenant_id(),
            tokens,
            until_s,
        };
        revocations::put_in_force(&caller, "revoke_until", &revocation).await?;
    }
    let had_session = caller.edge.router.kick(&peer).await.map_err(failure::of_broker)?;
    let peer = peer.peer_id();
    Ok(Json(KickedPeer { peer, had_session }))
}
