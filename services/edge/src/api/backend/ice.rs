//! `GET /v1/ice?peer=`: ICE servers with credentials for a peer, for an application that hands them out itself. A peer
//! asks with its own token instead (`api::ice`).

use axum::{Json, extract::FromRequestParts as _, response::IntoResponse as _, response::Response};
use http::request::Parts;
use serde::Deserialize;
use std::sync::Arc;
use switchboard_protocol::PeerId;

use super::{caller::Caller, input::Parameters};
use crate::{
    ice::{self, IceAnswer},
    problem::Problem,
    state::Edge,
};

/// For whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IceParameters {
    peer: Option<String>,
    region: Option<String>,
}

/// Returns ICE servers with fresh credentials for a peer.
#[utoipa::path(
    get,
    path = "/v1/ice",
    tag = "peers",
    params(
        ("peer" = Option<PeerId>, Query, description = "The peer that will use the credentials; that of the token, if absent."),
        ("region" = Option<String>, Query, description = "Where that peer is; the default, if absent or not configured. Nothing \
          else of the request counts: it shows where the backend is."),
    ),
    responses((status = 200, description = "As `new RTCPeerConnection` takes them.", body = IceAnswer))
)]
pub(super) async fn get_ice_servers(
    caller: Caller,
    Parameters(parameters): Parameters<IceParameters>,
) -> Result<Response, Problem> {
    let peer = match &parameters.peer {
        Some(name) => caller.peer(name)?,
        None => caller.grant.peer.clone(),
    };
    let region = parameters
        .region
        .and_then(|name| caller.edge.ice.region(&name))
        .unwrap_or_default();
    Ok(Json(ice::servers(&caller.edge, region, &peer)).into_response())
}

/// The same call on the public port, whose address it shares with the call of peers.
pub(crate) async fn answer(edge: &Arc<Edge>, mut parts: Parts) -> Result<Response, Problem> {
    let caller = Caller::admit(edge, &parts).await?;
    let parameters = Parameters::from_request_parts(&mut parts, edge).await?;
    get_ice_servers(caller, parameters).await
}
