//! In the place of `turn_server` in builds without the feature `development-turn`, which link one crypto library: a server
//! that never starts.

use std::net::SocketAddr;

use switchboard_protocol::Secret;

/// There is none.
pub(crate) enum TurnServer {}

impl TurnServer {
    /// Never starts.
    #[expect(clippy::unused_async, reason = "the other one listens")]
    pub(crate) async fn start(_: SocketAddr, _: Secret) -> anyhow::Result<Self> {
        anyhow::bail!("this build has no STUN and TURN server")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "the other one waits for its end")]
    pub(crate) async fn stop(self) {
        match self {}
    }
}
