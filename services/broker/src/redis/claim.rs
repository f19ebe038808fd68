//! A claim and a release as values. Not the table of all claims (`shard::tables`).

use std::fmt;

use switchboard_core::Retention;
use switchboard_protocol::{PeerKey, ResumeToken, Secret, SessionId};

/// A peer owned by a session of this node, as the shared record should say.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LocalClaim {
    pub(crate) key: PeerKey,
    pub(crate) token: ResumeToken,
    /// 0: not confirmed yet.
    pub(crate) fence: u64,
}

impl LocalClaim {
    /// The session that owns the peer.
    pub(crate) fn session(&self) -> SessionId {
        self.token.session
    }

    /// The secret's text.
    pub(crate) fn secret(&self) -> Secret {
        self.token.secret()
    }
}

impl fmt::Debug for LocalClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.key, self.session(), self.fence)
    }
}

/// A claim to be given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) key: PeerKey,
    pub(crate) session: SessionId,
    /// The claim's fence; 0: any.
    pub(crate) fence: u64,
    /// The part of the session that stays for a resume; `None`: nothing.
    pub(crate) retention: Option<Retention>,
}
