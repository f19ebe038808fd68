//! Tokens that are refused before their end, and peers that are removed. The node knows all revocations in force; it learns
//! them from the broker, which keeps them. Not the check of a token (crate `auth`), not the API call.

mod enforce;
mod error;
mod fingerprint;
mod table;
mod view;

pub use error::RevokeError;
pub(crate) use fingerprint::TokenFingerprint;
pub use table::RevocationChange;
pub use view::Revocations;
