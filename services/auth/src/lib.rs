//! From a JWT to a [`Grant`](switchboard_protocol::Grant), and everything with keys around it: verification,
//! PEM and JWKS keys, minting, inspecting, and the ephemeral credentials for STUN and TURN servers.
//! Not here: where a token stands in a request and what is answered to a bad one (`edge`), what happens when
//! a grant runs out (`core`).
//!
//! Two rules shape it. **The key decides the algorithm**: a token's header only picks among what a key
//! allows, so no token can talk a public key into being a shared secret. **A known key never waits**: only a
//! token with an unknown `kid` awaits the JWKS URL, and only as often and as long as the named limits say.

mod claims;
mod clock;
mod config;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod ice;
mod inspect;
mod jwks;
mod jwks_fetch;
mod jws;
mod key;
mod key_files;
mod key_set;
mod mint;
mod turn;
mod utc;
mod verified;
mod verifier;

pub use clock::{Clock, system_clock};
pub use config::{AuthConfig, AuthConfigError, MAX_LEEWAY_S, MAX_SECRETS, MIN_SECRET_BYTES};
pub use error::TokenError;
pub use ice::{IceConfig, IceConfigError, IceServers, MAX_ICE_URLS, MAX_TURN_TTL_S, MIN_TURN_TTL_S};
pub use inspect::{Inspection, inspect};
pub use jwks::{DEFAULT_FRESH_S, MAX_FRESH_S, MIN_FRESH_S, MIN_REFRESH_INTERVAL_S};
pub use jwks_fetch::{FETCH_TIMEOUT_MS, JwksError, MAX_JWKS_BYTES};
pub use key::{KeyError, MAX_RSA_BITS, MIN_RSA_BITS};
pub use key_files::MAX_KEY_FILE_BYTES;
pub use key_set::MAX_KEYS;
pub use mint::{MintError, Minter};
pub use turn::{TurnCredentials, TurnMinter};
pub use verified::{MAX_VERIFIED, VERIFIED_FOR_S};
pub use verifier::{Verifier, VerifierStats};
