//! ICE servers with fresh credentials for one peer: for `welcome`, the answer to `ice`, and the API. `switchboard-auth` makes
//! the credentials. Not which region a client is in (`admission::region`).

use serde::Serialize;
use switchboard_auth::Region;
use switchboard_protocol::{IceServer, PeerKey, RegionId};
use utoipa::ToSchema;

use crate::{clock::unix_now, state::Edge};

/// ICE servers and when their credentials end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IceAnswer {
    pub(crate) ice_servers: Vec<IceServer>,
    /// Seconds since the Unix epoch; 0 without credentials.
    pub(crate) expires_at: u64,
    /// The region of these servers; absent for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<RegionId>,
    /// When a client should have the next ones, likewise; `u64::MAX` without credentials.
    #[serde(skip)]
    pub(crate) refresh_at_s: u64,
}

/// The ICE servers of `region` that `peer` may use.
pub(crate) fn servers(edge: &Edge, region: Region, peer: &PeerKey) -> IceAnswer {
    let now_s = unix_now().as_secs();
    let expires_at = edge.ice.expires_at(region, now_s);
    IceAnswer {
        ice_servers: edge.ice.ice_servers(region, &peer.peer_id(), now_s),
        expires_at,
        region: edge.ice.name(region).cloned(),
        refresh_at_s: refresh_at_s(now_s, expires_at),
    }
}

/// After four fifths of the credentials' life: a browser needs time to gather candidates anew.
const fn refresh_at_s(now_s: u64, expires_at: u64) -> u64 {
    match expires_at.checked_sub(now_s) {
        Some(life_s) if expires_at > 0 => now_s + life_s - life_s / 5,
        Some(_) | None => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_replaced_at_four_fifths_of_their_life_and_their_absence_never() {
        assert_eq!(refresh_at_s(1_000, 1_060), 1_048);
        assert_eq!(refresh_at_s(1_000, 1_000 + 604_800), 1_000 + 483_840);
        assert_eq!(refresh_at_s(1_000, 0), u64::MAX);
    }
}
