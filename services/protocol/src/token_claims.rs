//! The claims of a Switchboard JWT: one definition for minting, inspecting and verifying. Not here: their checks (crate
//! `auth`).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{DuplicatePolicy, GrantLimits, RegionId, Role};

/// The payload of a token (docs/protocol.md, "Handshake"). Unknown claims are ignored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Claims {
    /// The peer ID.
    pub sub: String,
    /// End, in seconds since the Unix epoch.
    pub exp: u64,
    /// Not valid before, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Issued at, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The token's own ID, for revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The tenant; absent means `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Switchboard's own claims.
    #[serde(default)]
    pub switchboard: SwitchboardClaims,
}

/// The claim `switchboard`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SwitchboardClaims {
    /// Peer or backend.
    #[serde(default)]
    pub role: Role,
    /// Patterns of peer IDs this peer may send to; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<Vec<String>>,
    /// Patterns of rooms this peer may join; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms: Option<Vec<String>>,
    /// Shown to other members of a room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Box<RawValue>>,
    /// What a second connection of this peer ID does.
    #[serde(default)]
    pub duplicate: DuplicatePolicy,
    /// Bounds instead of the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<GrantLimits>,
    /// The region whose TURN servers this peer uses; absent means that the node chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
}
