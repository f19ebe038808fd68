//! The public keys of one source, and the look-up of a token's key. Not here: the sources (`key_files`, `jwks`), and shared
//! secrets, which have no names (`verifier`).

use crate::{jws::Jws, key::VerifyingKey};

/// The most public keys of one source. A look-up is linear.
pub const MAX_KEYS: usize = 256;

/// The most keys that one token is tried with: those with its name, or those without a name. Each costs a verification.
pub const MAX_TRIED_KEYS: usize = 16;

/// Public keys with their names.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<(Option<Box<str>>, VerifyingKey)>,
}

/// The result of a look-up.
pub(crate) enum Lookup<'k> {
    /// The keys that may have signed it; at least one, at most [`MAX_TRIED_KEYS`].
    Keys(Vec<&'k VerifyingKey>),
    /// The named keys do not allow the header's algorithm.
    WrongAlgorithm,
    /// More keys fit than are tried.
    TooMany,
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

    /// The keys for `jws` among `sets`, earlier sets first: those with its `kid` (RFC 7517, section 4.5, allows several), or
    /// else those without a name. For a token without a `kid`: all.
    pub(crate) fn find<'k>(sets: [&'k Self; 2], jws: &Jws<'_>) -> Lookup<'k> {
        let all = || sets.into_iter().flat_map(|set| &set.keys);
        let is_named = |name: &Option<Box<str>>| jws.kid.is_some() && *name == jws.kid;
        let is_known = all().any(|(name, _)| is_named(name));
        let candidates = all().filter(|(name, _)| match jws.kid {
            None => true,
            Some(_) if is_known => is_named(name),
            Some(_) => name.is_none(),
        });
        let fitting = candidates.filter(|(_, key)| key.allows(jws.algorithm));
        let keys: Vec<_> = fitting.map(|(_, key)| key).take(MAX_TRIED_KEYS + 1).collect();
        match keys.len() {
            0 if is_known => Lookup::WrongAlgorithm,
            0 => Lookup::Unknown,
            1..=MAX_TRIED_KEYS => Lookup::Keys(keys),
            _ => Lookup::TooMany,
        }
    }

    /// Whether a key has the name that `jws` names.
    pub(crate) fn has_name(sets: [&Self; 2], jws: &Jws<'_>) -> bool {
        let mut all = sets.into_iter().flat_map(|set| &set.keys);
        jws.kid.is_some() && all.any(|(name, _)| *name == jws.kid)
    }
}
