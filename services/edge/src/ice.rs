//! ICE servers for a peer: the answer to `ice`, the list in `welcome`, and `GET /v1/ice`. Credentials are
//! made by `switchboard-auth`.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Serialize;
use switchboard_protocol::{IceServer, PeerKey};

use crate::{Edge, admission};

/// ICE servers and when their credentials end.
#[derive(Debug, Serialize)]
pub(crate) struct IceAnswer {
    pub(crate) ice_servers: Vec<IceServer>,
    /// Seconds since the Unix epoch; 0 without credentials.
    pub(crate) expires_at: u64,
}

/// `GET /v1/ice`, with the peer's own token.
pub(crate) async fn get(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match admission::verify(&edge, &parts).await {
        Ok(grant) => {
            let mut response = Json(edge.ice_servers(&grant.peer)).into_response();
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refusal.told(&edge).into_response(),
    }
}

impl Edge {
    pub(crate) fn ice_servers(&self, peer: &PeerKey) -> IceAnswer {
        let now_s = unix_now().as_secs();
        IceAnswer {
            ice_servers: self.ice.ice_servers(&peer.peer_id(), now_s),
            expires_at: self.ice.expires_at(now_s),
        }
    }
}

/// The wall clock. Before 1970 it stands still.
pub(crate) fn unix_now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
