//! The tokens that simulated peers connect with, good ones and bad ones.

use std::time::{SystemTime, UNIX_EPOCH};

use switchboard_auth::{MintError, Minter};
use switchboard_protocol::{Claims, Secret};

use crate::fleet::Key;

/// The default audience of a node.
const AUDIENCE: &str = "switchboard";

/// How long a token holds: longer than any run.
const TTL_S: u64 = 24 * 3600;

/// How long ago the token of [`Bad::Expired`] expired.
const EXPIRED_S: u64 = 3600;

/// Signs tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    minter: Minter,
    forger: Minter,
    audience: String,
}

/// The fault of a bad token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It ended long ago.
    Expired,
    /// Signed with a secret of somebody else.
    Forged,
    /// Meant for another service.
    Audience,
    /// Not a token at all.
    Garbage,
    /// There is none.
    None,
}

impl Bad {
    /// All kinds, to be taken in turn.
    pub(crate) const ALL: [Self; 5] = [
        Self::Expired,
        Self::Forged,
        Self::Audience,
        Self::Garbage,
        Self::None,
    ];
}

impl Tokens {
    /// Signs with `key`.
    ///
    /// # Errors
    /// When the key cannot sign, or when it is the agent's own and none was given.
    pub(crate) fn new(key: &Key, audience: Option<&str>) -> anyhow::Result<Self> {
        let minter = match key {
            Key::Hs256(secret) => Minter::hs256(secret)?,
            Key::Pem(file, kid) => Minter::from_private_pem_file(file, kid.as_deref())?,
            Key::Own => anyhow::bail!("the agent was started without --hs256-secret-file or --key-file"),
        };
        Ok(Self {
            minter,
            forger: Minter::hs256(&Secret::new("a secret that no server trusts, long enough"))?,
            audience: audience.unwrap_or(AUDIENCE).to_owned(),
        })
    }

    /// A good token for `peer`.
    ///
    /// # Errors
    /// When signing fails.
    pub(crate) fn mint(&self, peer: &str) -> Result<Secret, MintError> {
        self.minter
            .mint(&claims(peer, now_s() + TTL_S), Some(&self.audience))
    }

    /// A token that no server may take.
    ///
    /// # Errors
    /// When signing fails.
    pub(crate) fn mint_bad(&self, peer: &str, how: Bad) -> Result<Secret, MintError> {
        let good = claims(peer, now_s() + TTL_S);
        match how {
            Bad::Expired => {
                let ended = claims(peer, now_s().saturating_sub(EXPIRED_S));
                self.minter.mint(&ended, Some(&self.audience))
            }
            Bad::Forged => self.forger.mint(&good, Some(&self.audience)),
            Bad::Audience => self.minter.mint(&good, Some("some-other-service")),
            Bad::Garbage => Ok(Secret::new("garbage.garbage.garbage")),
            Bad::None => Ok(Secret::default()),
        }
    }
}

fn claims(peer: &str, exp: u64) -> Claims {
    Claims {
        sub: peer.to_owned(),
        exp,
        ..Claims::default()
    }
}

fn now_s() -> u64 {
    // A clock before 1970 makes tokens that have expired, which the first connect says.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
