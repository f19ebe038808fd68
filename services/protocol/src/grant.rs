//! What a verified token allows, as plain data, with patterns of the peer IDs that the peer may send to. Not here:
//! verification (crate `auth`) and the end of a grant (crate `core`).

use std::fmt;

use serde_json::value::RawValue;

use crate::{MAX_PATTERNS, PeerKey};

/// What the owner of a verified token may do, and until when.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Tenant and peer ID.
    pub peer: PeerKey,
    /// Peer or backend.
    pub role: Role,
    /// Peer IDs this peer may send to.
    pub send: Patterns,
    /// Rooms this peer may join.
    pub rooms: Patterns,
    /// Shown to other members of a room; a JSON object of at most [`crate::MAX_INFO_BYTES`].
    pub info: Option<Box<RawValue>>,
    /// What a second connection of this peer ID does.
    pub duplicate: DuplicatePolicy,
    /// When the token ends, in seconds since the Unix epoch.
    pub expires_at: u64,
    /// When the token was issued, in seconds since the Unix epoch.
    pub issued_at: Option<u64>,
    /// The token's `jti`, for revocation.
    pub token_id: Option<Box<str>>,
}

/// The claim `switchboard.role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May connect and signal.
    #[default]
    Peer,
    /// May use the backend API.
    Backend,
}

/// The claim `switchboard.duplicate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuplicatePolicy {
    /// A newer connection takes over the peer ID.
    #[default]
    Replace,
    /// A newer connection is refused while an older one exists.
    Reject,
}

/// A list of patterns. `*` matches any sequence of characters.
///
/// The default, `["*"]`, allocates nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Patterns(Option<Box<[Box<str>]>>);

impl Patterns {
    /// Allows every name.
    #[must_use]
    pub const fn any() -> Self {
        Self(None)
    }

    /// Allows every name that one of `patterns` matches. An empty list allows nothing.
    ///
    /// # Errors
    /// The number of patterns, if it exceeds [`MAX_PATTERNS`].
    pub fn new(patterns: Vec<String>) -> Result<Self, usize> {
        if patterns.len() > MAX_PATTERNS {
            return Err(patterns.len());
        }
        if patterns.iter().any(|pattern| pattern == "*") {
            return Ok(Self::any());
        }
        Ok(Self(Some(
            patterns.into_iter().map(String::into_boxed_str).collect(),
        )))
    }

    /// Whether one of the patterns matches the whole of `name`.
    #[must_use]
    pub fn allow(&self, name: &str) -> bool {
        match &self.0 {
            None => true,
            Some(patterns) => patterns.iter().any(|pattern| matches(pattern, name)),
        }
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("[\"*\"]"),
            Some(patterns) => patterns.fmt(f),
        }
    }
}

/// Greedy wildcard match that backtracks to the last star only: linear in `name` for each star, never exponential.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at_pattern, mut at_name) = (0, 0);
    let mut last_star = None;
    while at_name < name.len() {
        if pattern.get(at_pattern) == Some(&b'*') {
            last_star = Some((at_pattern, at_name));
            at_pattern += 1;
        } else if pattern.get(at_pattern) == name.get(at_name) {
            at_pattern += 1;
            at_name += 1;
        } else if let Some((star, from)) = last_star {
            // The last star matches one more character, and the rest is tried again.
            last_star = Some((star, from + 1));
            at_pattern = star + 1;
            at_name = from + 1;
        } else {
            return false;
        }
    }
    pattern
        .get(at_pattern..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Patterns {
        Patterns::new(list.iter().map(|pattern| (*pattern).to_owned()).collect()).unwrap()
    }

    #[test]
    fn a_star_matches_any_sequence_and_the_whole_name_must_match() {
        let rules = patterns(&["team-*", "exact", "a*b*c"]);
        for name in ["team-", "team-7", "exact", "abc", "a--b--c", "abcbc"] {
            assert!(rules.allow(name), "{name} should be allowed");
        }
        for name in ["team", "my-team-7", "exactly", "abcd", "cba"] {
            assert!(!rules.allow(name), "{name} should be refused");
        }
    }

    #[test]
    fn the_default_allows_all_and_an_empty_list_nothing() {
        assert!(Patterns::default().allow("anyone"));
        assert!(patterns(&["x", "*"]).allow("anyone"));
        assert!(!patterns(&[]).allow("anyone"));
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_name() {
        let rules = patterns(&[&"*a".repeat(40)]);
        assert!(!rules.allow(&format!("{}b", "a".repeat(127))));
    }

    #[test]
    fn too_many_patterns_are_refused_with_their_number() {
        assert_eq!(
            Patterns::new(vec!["x".into(); MAX_PATTERNS + 1]),
            Err(MAX_PATTERNS + 1)
        );
    }
}
