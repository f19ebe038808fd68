//! Attaching a peer to this node and letting it go again: subscribed and claimed on the bus, entered in the
//! registry, an older session told to leave. What then happens to messages is the router's.

use std::sync::{Arc, atomic::Ordering};

use switchboard_protocol::{CloseCode, InboxMessage, PeerKey, SessionId};
use switchboard_telemetry::SessionGuard;

use crate::{BrokerError, Peer, Router};

impl Router {
    /// Attaches `key` as a new session: subscribed and claimed before this returns, an older session of the
    /// same peer closed wherever it is.
    ///
    /// # Errors
    /// [`BrokerError`] when the bus is reachable but refuses. An unreachable bus is no error: peers of one
    /// node go on talking through an outage.
    pub async fn attach(self: &Arc<Self>, key: &PeerKey) -> Result<Attachment, BrokerError> {
        let broker = self.broker.get().ok_or(BrokerError::Unavailable)?;
        let session = SessionId::from_bytes(rand::random());
        let order = self.attaches.fetch_add(1, Ordering::Relaxed);
        let attached = broker.attach(key, session).await?;
        let peer = Peer::new(key.clone(), session, order);
        let Ok(replaced) = self.registry.insert(&peer) else {
            broker.detach(key, session);
            return Err(BrokerError::Superseded);
        };
        let guard = self.telemetry.session_opened();
        let attachment = Attachment {
            router: Arc::clone(self),
            peer,
            _gauge: guard,
        };
        if let Some(old) = replaced {
            self.telemetry.takeover();
            old.close(CloseCode::Replaced);
        }
        if let Some(previous) = attached.previous.filter(|previous| previous.node != self.node) {
            self.telemetry.takeover();
            let takeover = InboxMessage::Takeover {
                key: key.clone(),
                session: previous.session,
                fence: attached.fence,
            };
            if let Err(error) = broker.send_to_node(&previous.node, takeover.encode()) {
                tracing::warn!(node = %previous.node, %error, "could not tell a node that it lost a session");
            }
        }
        Ok(attachment)
    }
}

/// A peer attached to this node. Dropping it detaches the peer.
pub struct Attachment {
    router: Arc<Router>,
    peer: Arc<Peer>,
    _gauge: SessionGuard,
}

impl Attachment {
    /// The attached peer.
    #[must_use]
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// The router it is attached to.
    #[must_use]
    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.router.registry.remove(&self.peer);
        if let Some(broker) = self.router.broker.get() {
            broker.detach(self.peer.key(), self.peer.session());
        }
        let given_up = self.peer.abandon();
        self.router
            .telemetry
            .pending_sends(-i64::try_from(given_up).unwrap_or(i64::MAX));
    }
}
