//! Who sends, and hears the outcome: a session, or a part of the node itself that sends without a connection.

use std::{fmt::Debug, sync::Arc};

use switchboard_protocol::{ErrorCode, PeerKey, SendOutcome, SessionId};

use super::outbox::OutboxSlot;
use crate::limits::PeerAccount;

/// A sender. Every numbered send ends in exactly one call of [`Sender::on_outcome`].
///
/// All methods return at once. They may be called while the outbox is locked, so none may send.
pub trait Sender: Debug + Send + Sync {
    /// Names its sends, together with their ids; unique in the cluster.
    fn id(&self) -> SessionId;

    /// The address that receivers see.
    fn key(&self) -> &PeerKey;

    /// Its sends without an outcome.
    fn outbox(&self) -> &OutboxSlot;

    /// To which its sends are charged; a part of the node itself has none.
    fn account(&self) -> Option<&Arc<PeerAccount>> {
        None
    }

    /// The outcome of send `id`.
    fn on_outcome(&self, id: u64, outcome: SendOutcome);

    /// Send `id` waits in its receiver's offline queue; its outcome follows.
    fn on_queued(&self, id: u64);

    /// A send without an id failed.
    fn on_failed(&self, code: ErrorCode);

    /// It sends at this second of the node's clock.
    fn mark_active(&self, _second: u32) {}

    /// Whether it sends nothing more: it is forgotten after its last outcome.
    fn is_gone(&self) -> bool {
        false
    }
}
