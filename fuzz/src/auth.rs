//! Properties of the decoders in `switchboard-auth`; they stand in that crate, because they use private parts.

pub use switchboard_auth::fuzzing::{claims, discovery_document, key_set, token};
