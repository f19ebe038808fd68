//! From a JWT to a [`Grant`](switchboard_protocol::Grant): verification, PEM and JWKS keys, minting, inspecting, and
//! temporary TURN credentials. Not here: the place of a token in a request, and the answer to a bad one (`edge`); the end of
//! a grant (`core`).
//!
//! Two rules. **The key determines the algorithm**: a token's header selects only among the algorithms that a key allows,
//! so a token cannot use a public key as a shared secret. **A known key never waits**: only a token with an unknown `kid`
//! waits for the JWKS URL, within fixed limits.

mod claims;
mod clock;
mod config;
mod config_check;
mod discovery;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod ice;
mod ice_config;
mod inspect;
mod issuer;
mod jwks;
mod jwks_error;
mod jwks_fetch;
mod jws;
mod key;
mod key_client;
mod key_files;
mod key_set;
mod loaded;
mod member;
mod mint;
mod revocation;
mod subject;
mod turn;
mod utc;
mod verified_tokens;
mod verifier;
mod watched_files;

pub use clock::{Clock, system_clock};
pub use config::{
    AuthConfig, AuthConfigError, IssuerConfig, MAX_ISSUERS, MAX_LEEWAY_S, MAX_SECRETS, MIN_SECRET_BYTES,
};
pub use discovery::DISCOVERY_FRESH_S;
pub use error::TokenError;
pub use ice::{IceServers, Region};
pub use ice_config::{
    IceConfig, IceConfigError, IceRegionConfig, IceServersConfig, MAX_HEADER_VALUES, MAX_ICE_REGIONS,
    MAX_ICE_URLS, MAX_TURN_TTL_S, MIN_TURN_TTL_S,
};
pub use inspect::{Inspection, inspect};
pub use jwks::{DEFAULT_FRESH_S, MAX_FRESH_S, MIN_FRESH_S, MIN_REFRESH_INTERVAL_S};
pub use jwks_error::{FETCH_TIMEOUT_MS, JwksError, MAX_JWKS_BYTES};
pub use key::{KeyError, MAX_RSA_BITS, MIN_RSA_BITS};
pub use key_client::MAX_CA_FILE_BYTES;
pub use key_files::{MAX_KEY_FILE_BYTES, MAX_SECRET_FILE_BYTES};
pub use key_set::{MAX_KEYS, MAX_TRIED_KEYS};
pub use mint::{MintError, Minter};
pub use revocation::RevocationView;
pub use subject::SubjectMapping;
pub use turn::{TurnCredentials, TurnMinter};
pub use verified_tokens::{MAX_VERIFIED, VERIFIED_FOR_S};
pub use verifier::{OwnIssuer, Verifier, VerifierStats};
pub use watched_files::{Contents, FolderFile, Reload, Watched, WatchedFiles};
