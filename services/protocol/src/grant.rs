//! What a verified token allows, as plain data, with patterns of the peer IDs that the peer may send to. Not here:
//! verification (crate `auth`) and the end of a grant (crate `core`).

use std::{cmp::Ordering, fmt};

use serde_json::value::RawValue;

use crate::{GrantLimits, MAX_PATTERNS, PeerKey, RegionId};

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
    /// Bounds instead of the operator's; boxed, because few tokens have some.
    pub limits: Option<Box<GrantLimits>>,
    /// The region whose TURN servers this peer uses; boxed likewise.
    pub region: Option<Box<RegionId>>,
    /// When the token ends, in seconds since the Unix epoch.
    pub expires_at: u64,
    /// When the token was issued, in seconds since the Unix epoch.
    pub issued_at: Option<u64>,
    /// The token's `jti`, for revocation.
    pub token_id: Option<Box<str>>,
}

impl Grant {
    /// Whether this grant may take the place of `current` on a connection. A token that was issued earlier may not, and one
    /// that grants more must have been issued later: a token that leaked once cannot undo what a later one took away.
    ///
    /// # Errors
    /// Otherwise, a sentence for the client.
    pub fn check_renewal(&self, current: &Self) -> Result<(), &'static str> {
        match self.issued_at.cmp(&current.issued_at) {
            Ordering::Greater => Ok(()),
            Ordering::Less => Err("the token was issued (iat) before the one in use"),
            Ordering::Equal if self.is_within(current) => Ok(()),
            Ordering::Equal => Err("the token grants more than the one in use; it needs a later `iat`"),
        }
    }

    /// Whether this grant allows nothing that `other` does not. Its end is no part of that.
    fn is_within(&self, other: &Self) -> bool {
        let has_role = self.role == other.role || self.role == Role::Peer;
        let limits = |grant: &Self| grant.limits.as_deref().copied().unwrap_or_default();
        has_role
            && self.send.is_within(&other.send)
            && self.rooms.is_within(&other.rooms)
            && limits(self).is_within(&limits(other))
    }
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

    /// Whether every name is allowed.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.0.is_none()
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

impl Patterns {
    /// Whether each name that these allow is allowed by `other`, as far as single patterns show it: a pattern of `other`
    /// must cover each one here.
    #[must_use]
    fn is_within(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            // A star of the outer pattern also covers a star, whatever that stands for.
            (Some(own), Some(_)) => own.iter().all(|pattern| other.allow(pattern)),
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
        assert!(patterns(&["x", "*"]).is_any());
        assert!(!patterns(&["x*"]).is_any());
        assert!(!patterns(&[]).allow("anyone"));
    }

    fn grant(issued_at: Option<u64>, send: &[&str]) -> Grant {
        Grant {
            peer: PeerKey::parse("default/alice").unwrap(),
            role: Role::Peer,
            send: patterns(send),
            rooms: Patterns::any(),
            info: None,
            duplicate: DuplicatePolicy::Replace,
            limits: None,
            region: None,
            expires_at: 9,
            issued_at,
            token_id: None,
        }
    }

    #[test]
    fn an_older_token_renews_nothing_and_a_wider_one_must_be_newer() {
        let current = grant(Some(100), &["team-*", "bob"]);
        for (issued_at, send, may) in [
            (Some(99), &["bob"][..], false),
            (None, &["bob"], false),
            (Some(100), &["bob"], true),
            (Some(100), &["team-a*", "team-*"], true),
            (Some(100), &["team*"], false),
            (Some(100), &["*"], false),
            (Some(100), &["carol"], false),
            (Some(101), &["*"], true),
        ] {
            let outcome = grant(issued_at, send).check_renewal(&current);
            assert_eq!(outcome.is_ok(), may, "{issued_at:?} {send:?}");
        }
        let backend = Grant {
            role: Role::Backend,
            ..grant(Some(100), &["bob"])
        };
        assert!(backend.check_renewal(&current).is_err());
        assert!(grant(Some(100), &["bob"]).check_renewal(&backend).is_ok());
        let undated = grant(None, &["bob"]);
        assert!(
            undated.check_renewal(&undated).is_ok(),
            "tokens without `iat` may renew"
        );
        assert!(grant(None, &["*"]).check_renewal(&undated).is_err());
        assert!(grant(Some(1), &["*"]).check_renewal(&undated).is_ok());
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
