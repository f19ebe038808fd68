//! A claim and a release as values. Not the table of all claims (`shard::tables`).

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use switchboard_core::Retention;
use switchboard_protocol::{PeerKey, ResumeToken, SessionId};

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

    /// The hash of the secret, in hexadecimal. The secret itself has 128 random bits and never leaves the node: a
    /// reader of Redis cannot resume the session.
    pub(crate) fn secret_hash(&self) -> String {
        let hash = digest(&SHA256, &self.token.secret_bytes());
        hash.as_ref()
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                // A String takes everything.
                let _ = write!(text, "{byte:02x}");
                text
            })
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
