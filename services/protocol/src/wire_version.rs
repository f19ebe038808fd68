//! The version of what nodes say to each other. A node says its own in its record, and does not send to another node what that
//! node's version does not know. Not the version of the clients' protocol, which is in the name of the subprotocol.

use std::fmt;

/// A version of what nodes say to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireVersion(pub u16);

impl WireVersion {
    /// That of nodes which say none: everything that nodes sent before there was a version.
    pub const UNSAID: Self = Self(0);

    /// That of this program. It grows by one in each release that adds a kind of node message.
    pub const OWN: Self = Self(1);
}

impl fmt::Display for WireVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
