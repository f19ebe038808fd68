//! The claim `switchboard.limits`: bounds for one peer or its tenant, instead of the operator's. Not here: how far a token may
//! raise them (crate `core`).

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize};

/// Each member that is absent leaves the operator's bound. A member that is `null`, zero or unknown is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrantLimits {
    /// Commands per second of this peer in the long run.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub messages_per_second: Option<NonZeroU32>,
    /// Commands of this peer at once.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub message_burst: Option<NonZeroU32>,
    /// Open connections of this peer on one node.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub connections: Option<NonZeroU32>,
    /// Open connections of its tenant on all nodes.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub tenant_connections: Option<NonZeroU32>,
    /// Rooms of its tenant on all nodes.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub rooms_per_tenant: Option<NonZeroU32>,
    /// Bytes that its tenant may hold for receivers without a session, on all nodes.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub tenant_held_bytes: Option<NonZeroU32>,
}

impl GrantLimits {
    /// Whether none of these bounds is wider than that of `other`, as far as both state it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let pairs = [
            (self.messages_per_second, other.messages_per_second),
            (self.message_burst, other.message_burst),
            (self.connections, other.connections),
            (self.tenant_connections, other.tenant_connections),
            (self.rooms_per_tenant, other.rooms_per_tenant),
            (self.tenant_held_bytes, other.tenant_held_bytes),
        ];
        // An absent one is the operator's, and nobody knows here how wide that is.
        pairs.iter().all(|(own, other)| match (own, other) {
            (Some(own), Some(other)) => own <= other,
            (own, other) => own == other,
        })
    }
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<NonZeroU32>, D::Error> {
    NonZeroU32::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<GrantLimits, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_misspelt_or_empty_bound_is_refused() {
        let text = r#"{"messages_per_second":5,"message_burst":6,"connections":7,"tenant_connections":8,"rooms_per_tenant":9,"tenant_held_bytes":10}"#;
        let all = read(text).unwrap();
        assert_eq!(all.tenant_held_bytes, NonZeroU32::new(10));
        assert_eq!(serde_json::to_string(&all).unwrap(), text);
        assert_eq!(read("{}").unwrap(), GrantLimits::default());
        for wrong in [
            r#"{"message_per_second":5}"#,
            r#"{"connections":null}"#,
            r#"{"connections":0}"#,
            r#"{"connections":-1}"#,
            r#"{"connections":"5"}"#,
            r#"{"connections":1,"connections":2}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bounds_are_within_others_that_state_as_much() {
        let of = |json| read(json).unwrap();
        let five = of(r#"{"connections":5}"#);
        assert!(five.is_within(&five));
        assert!(of(r#"{"connections":4}"#).is_within(&five));
        for wider in [
            r#"{"connections":6}"#,
            "{}",
            r#"{"connections":5,"message_burst":1}"#,
            r#"{"connections":5,"rooms_per_tenant":1}"#,
            r#"{"connections":5,"tenant_held_bytes":1}"#,
        ] {
            assert!(!of(wider).is_within(&five), "{wider}");
        }
    }
}
