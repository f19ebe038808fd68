//! Whether a token with a valid signature was revoked: somebody else knows that. Not the revocations themselves (crate `core`).

use std::sync::Arc;

use switchboard_protocol::{Grant, RevocationStatus};

use crate::TokenError;

/// Tells whether a token is revoked at a time in seconds since the Unix epoch.
pub type RevocationView = Arc<dyn Fn(&Grant, u64) -> RevocationStatus + Send + Sync>;

/// Refuses a token that is revoked, or of which that is not known.
pub(crate) fn check(view: &RevocationView, grant: &Grant, now_s: u64) -> Result<(), TokenError> {
    match view(grant, now_s) {
        RevocationStatus::Valid => Ok(()),
        RevocationStatus::Revoked => Err(TokenError::Revoked),
        RevocationStatus::Unknown => Err(TokenError::RevocationsUnknown),
    }
}
