//! A revocation: which tokens are refused before their end, and its text for other nodes. Not here: the revocations in force
//! (crate `core`), and the check of a token (crate `auth`).

use crate::{PeerId, TenantId};

/// The longest `jti` of a token, in characters as JSON Schema counts them: each token can be revoked by it.
pub const MAX_TOKEN_ID_CHARS: usize = 256;

/// Tokens of one tenant that are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Their tenant.
    pub tenant: TenantId,
    /// Which ones.
    pub tokens: RevokedTokens,
    /// When the last of them ends, in seconds since the Unix epoch; the revocation ends then.
    pub until_s: u64,
}

/// Which tokens of a tenant are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedTokens {
    /// Those with this `jti`.
    Id(Box<str>),
    /// Those of this peer whose `iat` is before a moment, and those without `iat`.
    OfPeer {
        /// The peer.
        peer: PeerId,
        /// The moment, in seconds since the Unix epoch.
        issued_before_s: u64,
    },
}

/// Whether a text can be a `jti`.
#[must_use]
pub fn is_token_id(text: &str) -> bool {
    (1..=MAX_TOKEN_ID_CHARS).contains(&text.chars().count())
}

/// Whether a token is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationStatus {
    /// It is not revoked.
    Valid,
    /// It is revoked.
    Revoked,
    /// The node has not read the revocations yet.
    Unknown,
}

/// A text that no node of this version writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a revocation of this version")]
pub struct RevocationError;

impl Revocation {
    /// The text without the end: `t <tenant>/<jti>` or `p <tenant>/<peer> <issued before>`.
    #[must_use]
    pub fn text(&self) -> String {
        let tenant = &self.tenant;
        match &self.tokens {
            RevokedTokens::Id(id) => format!("t {tenant}/{id}"),
            RevokedTokens::OfPeer {
                peer,
                issued_before_s,
            } => format!("p {tenant}/{peer} {issued_before_s}"),
        }
    }

    /// Reads the text of a revocation that ends at `until_s`.
    ///
    /// # Errors
    /// [`RevocationError`] for a text that [`Revocation::text`] does not write.
    pub fn parse(text: &str, until_s: u64) -> Result<Self, RevocationError> {
        let (kind, rest) = text.split_once(' ').ok_or(RevocationError)?;
        // A tenant has no slash, so a slash in a `jti` is a later one.
        let (tenant, tokens) = rest.split_once('/').ok_or(RevocationError)?;
        let tokens = match kind {
            "t" if is_token_id(tokens) => RevokedTokens::Id(tokens.into()),
            "p" => {
                let (peer, before) = tokens.split_once(' ').ok_or(RevocationError)?;
                RevokedTokens::OfPeer {
                    peer: PeerId::new(peer).map_err(|_| RevocationError)?,
                    issued_before_s: before.parse().map_err(|_| RevocationError)?,
                }
            }
            _ => return Err(RevocationError),
        };
        Ok(Self {
            tenant: TenantId::new(tenant).map_err(|_| RevocationError)?,
            tokens,
            until_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_is_as_long_in_any_script() {
        for character in ["x", "é", "漢", "😀"] {
            assert!(is_token_id(&character.repeat(MAX_TOKEN_ID_CHARS)));
            assert!(!is_token_id(&character.repeat(MAX_TOKEN_ID_CHARS + 1)));
        }
        assert!(!is_token_id(""));
    }

    fn of_peer(issued_before_s: u64) -> Revocation {
        Revocation::parse(&format!("p acme/alice {issued_before_s}"), 900).unwrap()
    }

    #[test]
    fn a_revocation_is_read_as_it_was_written() {
        let id = "urn:token/7 of alice";
        let by_id = Revocation {
            tenant: TenantId::new("acme").unwrap(),
            tokens: RevokedTokens::Id(id.into()),
            until_s: 7,
        };
        for revocation in [by_id, of_peer(100)] {
            let text = revocation.text();
            assert_eq!(Revocation::parse(&text, revocation.until_s), Ok(revocation));
        }
        assert_eq!(of_peer(100).text(), "p acme/alice 100");
        let long = format!("t acme/{}", "x".repeat(MAX_TOKEN_ID_CHARS + 1));
        for other in [
            "",
            "t acme",
            "t acme/",
            "t no tenant/x",
            "p acme/alice",
            "p acme/alice x",
            "x a/b",
            &long,
        ] {
            assert_eq!(Revocation::parse(other, 7), Err(RevocationError), "{other}");
        }
    }
}
