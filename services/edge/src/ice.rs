//! ICE servers with fresh credentials for one peer: for `welcome`, the answer to `ice`, and the API.
//! `switchboard-auth` makes the credentials.

use serde::Serialize;
use switchboard_protocol::{IceServer, PeerKey};

use crate::{clock::unix_now, state::Edge};

/// ICE servers and when their credentials end.
#[derive(Debug, Serialize)]
pub(crate) struct IceAnswer {
    pub(crate) ice_servers: Vec<IceServer>,
    /// Seconds since the Unix epoch; 0 without credentials.
    pub(crate) expires_at: u64,
}

/// The ICE servers that `peer` may use.
pub(crate) fn servers(edge: &Edge, peer: &PeerKey) -> IceAnswer {
    let now_s = unix_now().as_secs();
    IceAnswer {
        ice_servers: edge.ice.ice_servers(&peer.peer_id(), now_s),
        expires_at: edge.ice.expires_at(now_s),
    }
}
