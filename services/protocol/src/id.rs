//! Names that clients and operators choose: tenant, peer, room, node and region. A value of these types is always valid, because its
//! constructor checks it. Not here: session and message ids, which nodes create (`mid`).

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name, in bytes (docs/protocol.md).
pub const MAX_ID_BYTES: usize = 128;

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The name has no characters.
    #[error("the name is empty; it needs 1 to {MAX_ID_BYTES} characters")]
    Empty,
    /// The name is longer than [`MAX_ID_BYTES`].
    #[error("the name has {0} bytes; at most {MAX_ID_BYTES} are allowed")]
    TooLong(usize),
    /// The name has a byte outside the allowed set.
    #[error("the name has a character at byte {0} that is not one of A-Z a-z 0-9 . _ ~ : @ + = -")]
    BadCharacter(usize),
}

fn check(name: &str) -> Result<(), IdError> {
    if name.is_empty() {
        return Err(IdError::Empty);
    }
    if name.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong(name.len()));
    }
    match name.bytes().position(|byte| !is_allowed(byte)) {
        Some(at) => Err(IdError::BadCharacter(at)),
        None => Ok(()),
    }
}

const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b':' | b'@' | b'+' | b'=' | b'-')
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(
            feature = "schema",
            derive(utoipa::ToSchema),
            schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9._~:@+=-]+$")
        )]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `name` against the rules of docs/protocol.md.
            ///
            /// # Errors
            /// [`IdError`] when the name is empty, too long, or has a character outside the set.
            pub fn new(name: &str) -> Result<Self, IdError> {
                check(name)?;
                Ok(Self(name.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// A peer's name within its tenant: the `sub` of its token.
    PeerId
}
name_type! {
    /// A room's name within its tenant.
    RoomId
}
name_type! {
    /// A tenant's name. Peers of different tenants cannot see or reach each other.
    TenantId
}
name_type! {
    /// A signaling node's name, unique in the cluster.
    NodeId
}
name_type! {
    /// The name of a region of TURN servers.
    RegionId
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".into())
    }
}

macro_rules! key_type {
    ($(#[$doc:meta])* $name:ident, $id:ident, $part:ident, $part_id:ident) => {
        $(#[$doc])*
        ///
        /// Names cannot contain `/`, so the split is unambiguous. All tables with this key share one allocation.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The address of this name in `tenant`.
            #[must_use]
            pub fn new(tenant: &str, name: &$id) -> Self {
                Self(format!("{tenant}/{name}").into())
            }

            /// Reads the whole address, as in the name of a channel.
            ///
            /// # Errors
            /// [`IdError`] when the slash is missing or one part is not a valid name.
            pub fn parse(key: &str) -> Result<Self, IdError> {
                let (tenant, name) = key.split_once('/').ok_or(IdError::Empty)?;
                check(tenant)?;
                check(name)?;
                Ok(Self(key.into()))
            }

            /// The tenant's name.
            #[must_use]
            pub fn tenant(&self) -> &str {
                self.split().0
            }

            /// The tenant's name as a [`TenantId`].
            #[must_use]
            pub fn tenant_id(&self) -> TenantId {
                TenantId(self.tenant().into())
            }

            /// The name without the tenant.
            #[must_use]
            pub fn $part(&self) -> &str {
                self.split().1
            }

            /// The name without the tenant, as its own type.
            #[must_use]
            pub fn $part_id(&self) -> $id {
                $id(self.$part().into())
            }

            /// The whole address.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            fn split(&self) -> (&str, &str) {
                // The constructors reject a key without a slash.
                self.0.split_once('/').unwrap_or(("", &self.0))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

key_type! {
    /// A peer's full address, stored as one string `tenant/peer`.
    PeerKey, PeerId, peer, peer_id
}
key_type! {
    /// A room's full address, stored as one string `tenant/room`.
    RoomKey, RoomId, room, room_id
}

impl PeerKey {
    /// The peer `peer` of the same tenant, for a `to`.
    ///
    /// # Errors
    /// [`IdError`] when `peer` is not a valid name.
    pub fn sibling(&self, peer: &str) -> Result<Self, IdError> {
        check(peer)?;
        Ok(Self(format!("{}/{peer}", self.tenant()).into()))
    }

    /// The room `room` of the same tenant, for a `room`.
    ///
    /// # Errors
    /// [`IdError`] when `room` is not a valid name.
    pub fn room(&self, room: &str) -> Result<RoomKey, IdError> {
        check(room)?;
        Ok(RoomKey(format!("{}/{room}", self.tenant()).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_every_allowed_character_is_accepted() {
        let name = "AZaz09._~:@+=-";
        assert_eq!(PeerId::new(name).map(|id| id.to_string()), Ok(name.to_owned()));
    }

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        assert_eq!(PeerId::new(""), Err(IdError::Empty));
        assert_eq!(PeerId::new(&"a".repeat(129)), Err(IdError::TooLong(129)));
        assert_eq!(PeerId::new("bob/eve"), Err(IdError::BadCharacter(3)));
        assert_eq!(PeerId::new("bö"), Err(IdError::BadCharacter(1)));
        assert_eq!(PeerId::new("a b"), Err(IdError::BadCharacter(1)));
    }

    #[test]
    fn a_key_has_its_tenant_and_its_peer() {
        let alice = PeerKey::parse("acme/alice").unwrap();
        assert_eq!((alice.tenant(), alice.peer()), ("acme", "alice"));
        assert_eq!(alice.sibling("bob").unwrap().as_str(), "acme/bob");
        assert!(
            alice.sibling("other/bob").is_err(),
            "a name cannot address another tenant"
        );
        assert_eq!(alice.room("lobby"), RoomKey::parse("acme/lobby"));
        assert!(
            alice.room("other/lobby").is_err(),
            "a name cannot address a room of another tenant"
        );
        assert!(PeerKey::parse("alice").is_err());
        assert!(PeerKey::parse("a/b/c").is_err());
    }
}
