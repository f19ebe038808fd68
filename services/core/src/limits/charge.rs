//! Guards of what an account has granted. Dropping one gives it back.

use std::sync::Arc;

use super::account::PeerAccount;

/// The place and the bytes of one pending send.
#[derive(Debug)]
pub(crate) struct PendingCharge {
    account: Arc<PeerAccount>,
    bytes: Option<usize>,
}

impl PendingCharge {
    /// A place without bytes.
    pub(super) const fn new(account: Arc<PeerAccount>) -> Self {
        Self { account, bytes: None }
    }

    pub(super) const fn set_bytes(&mut self, bytes: usize) {
        self.bytes = Some(bytes);
    }

    /// The payload was dropped; the send still waits for its outcome.
    pub(crate) fn drop_payload(&mut self) {
        if let Some(bytes) = self.bytes.as_mut() {
            self.account.give_back_pending(*bytes, *bytes);
            *bytes = 0;
        }
    }
}

impl Drop for PendingCharge {
    fn drop(&mut self) {
        self.account.end_pending(self.bytes);
    }
}

/// The place of one open connection.
#[derive(Debug)]
pub struct ConnectionPlace(Arc<PeerAccount>);

impl ConnectionPlace {
    pub(super) const fn new(account: Arc<PeerAccount>) -> Self {
        Self(account)
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.0.disconnect();
    }
}
