//! The public keys of one source, and the look-up of a token's key. Not here: the sources (`key_files`, `jwks`), and shared
//! secrets, which have no names (`verifier`).

use crate::{jws::Jws, key::VerifyingKey};

/// The most public keys of one source. A look-up is linear.
pub const MAX_KEYS: usize = 64;

/// Public keys with their names.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<(Option<Box<str>>, VerifyingKey)>,
}

/// The result of a look-up.
pub(crate) enum Lookup<'k> {
    /// The key, which allows the header's algorithm.
    Key(&'k VerifyingKey),
    /// The named key does not allow the header's algorithm.
    WrongAlgorithm,
    /// More than one key fits.
    Ambiguous,
    /// No such key.
    Unknown,
}

impl KeySet {
    pub(crate) fn new(keys: Vec<(Option<Box<str>>, VerifyingKey)>) -> Self {
        Self { keys }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key for `jws` among `sets`, earlier sets first.
    ///
    /// Without a `kid`, exactly one key may allow the algorithm. Otherwise a bad token would cost many verifications.
    pub(crate) fn find<'k>(sets: [&'k Self; 2], jws: &Jws<'_>) -> Lookup<'k> {
        let all = || sets.into_iter().flat_map(|set| &set.keys);
        let Some(kid) = &jws.kid else {
            let mut fitting = all().filter(|(_, key)| key.allows(jws.algorithm));
            return match (fitting.next(), fitting.next()) {
                (Some((_, key)), None) => Lookup::Key(key),
                (Some(_), Some(_)) => Lookup::Ambiguous,
                (None, _) => Lookup::Unknown,
            };
        };
        let mut named = all().filter(|(name, _)| name.as_ref() == Some(kid)).peekable();
        if named.peek().is_none() {
            return Lookup::Unknown;
        }
        // RFC 7517, section 4.5: keys of different types may share a name.
        named
            .find(|(_, key)| key.allows(jws.algorithm))
            .map_or(Lookup::WrongAlgorithm, |(_, key)| Lookup::Key(key))
    }
}
