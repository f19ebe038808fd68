//! Properties of the decoders in `switchboard-auth`; they stand in that crate, because they use private parts.

/// Every check of this file by the name of its fuzz target.
pub const CHECKS: [crate::protocol::Check; 3] = [("jwt", token), ("jwt_claims", claims), ("jwks", key_set)];

pub use switchboard_auth::fuzzing::{claims, key_set, token};
