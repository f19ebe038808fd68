//! `GET /v1/peers/{peer}`: where a peer is.

use axum::Json;
use serde::Serialize;
use switchboard_core::Presence;
use switchboard_protocol::{NodeId, PeerId, PresenceState};
use utoipa::ToSchema;

use super::{caller::Caller, failure, input::Names};
use crate::problem::Problem;

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
}

/// Returns the state of a peer, and its node if it is connected.
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
    }))
}
