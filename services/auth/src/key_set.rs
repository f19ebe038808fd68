//! The public keys of one source, and which of them a token may be verified with. Not here: where they come
//! from (`key_files`, `jwks`) and the shared secrets, which have no names (`verifier`).

use crate::{jws::Jws, key::VerifyingKey};

/// The most public keys one source may hold. A look-up walks the list, so it stays short.
pub const MAX_KEYS: usize = 64;

/// Public keys with their names.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<(Option<Box<str>>, VerifyingKey)>,
}

/// What a key set says to a token's header.
pub(crate) enum Lookup<'k> {
    /// This key, which allows the header's algorithm.
    Key(&'k VerifyingKey),
    /// The named key exists, but not for that algorithm.
    WrongAlgorithm,
    /// More than one key could be meant.
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
    /// Without a `kid`, a key is taken only when it is the one key that allows the algorithm: trying many
    /// would let a bad token cost many verifications.
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
