//! A bus that only notes what a node publishes. The work carries it to the other node.

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use parking_lot::Mutex;
use switchboard_core::{
    Asker, Broker, BrokerError, BusState, BusStatus, Claim, ClaimOutcome, ClusterLoad, EndedSession,
    Retention, RevocationChange, RoomJoin, RoomLeave, RoomPage, RoomQuery, Roster, Route, StoredMessage,
    TenantUsage,
};
use switchboard_protocol::{Mid, NodeId, PeerId, PeerKey, RoomId, RoomKey, SessionId};

/// What a node asked of the bus.
pub(crate) enum Asked {
    /// An envelope to a peer.
    Publish(Mid, PeerKey, Vec<u8>),
    /// A message to the other node.
    ToNode(Vec<u8>),
}

/// The bus of one node.
#[derive(Default)]
pub(crate) struct Bus(Mutex<Vec<Asked>>);

impl Bus {
    /// What was asked since the last call.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock())
    }
}

fn refused<T: Send + 'static>() -> BoxFuture<'static, Result<T, BrokerError>> {
    ready(Err(BrokerError::Unavailable)).boxed()
}

impl Broker for Bus {
    fn attach<'a>(&'a self, _: &'a PeerKey, _: Claim) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        ready(Ok(ClaimOutcome::default())).boxed()
    }
    fn detach(&self, _: &PeerKey, _: SessionId, _: u64, _: Option<Retention>) {}
    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        self.0.lock().push(Asked::Publish(mid, to.clone(), envelope));
        Ok(())
    }
    fn send_to_node(&self, _: &NodeId, _: Route, message: Vec<u8>) -> Result<(), BrokerError> {
        self.0.lock().push(Asked::ToNode(message));
        Ok(())
    }
    fn locate(&self, _: Asker, _: &PeerKey) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }
    fn watch(&self, _: &PeerKey) -> bool {
        false
    }
    fn unwatch(&self, _: &PeerKey) {}
    fn store(&self, _: StoredMessage) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }
    fn read_offline_queue(&self, _: &PeerKey, _: SessionId) {}
    fn remove_stored(&self, _: &PeerKey, _: SessionId, _: usize, _: usize) {}
    fn touch(&self, _: &PeerKey, _: SessionId) {}
    fn end_session<'a>(&'a self, _: &'a PeerKey) -> BoxFuture<'a, Result<Option<EndedSession>, BrokerError>> {
        refused()
    }
    fn revoke<'a>(&'a self, _: &'a RevocationChange) -> BoxFuture<'a, Result<(), BrokerError>> {
        refused()
    }
    fn join_room(&self, _: RoomJoin) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }
    fn leave_room(&self, _: RoomLeave) {}
    fn detach_member(&self, _: &RoomKey, _: &PeerId, _: SessionId) {}
    fn publish_to_room(&self, _: &RoomKey, _: Mid, _: Vec<u8>) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
    }
    fn forget_room(&self, _: &RoomKey) {}
    fn roster<'a>(&'a self, _: &'a RoomKey) -> BoxFuture<'a, Result<Roster, BrokerError>> {
        refused()
    }
    fn has_member<'a>(&'a self, _: &'a RoomKey, _: &'a PeerId) -> BoxFuture<'a, Result<bool, BrokerError>> {
        refused()
    }
    fn rooms_of<'a>(&'a self, _: &'a PeerKey) -> BoxFuture<'a, Result<Vec<RoomId>, BrokerError>> {
        refused()
    }
    fn rooms(&self, _: RoomQuery) -> BoxFuture<'_, Result<RoomPage, BrokerError>> {
        refused()
    }
    fn cluster_load(&self, _: Option<usize>) -> Option<ClusterLoad> {
        None
    }
    fn tenant_usage(&self, _: TenantUsage) -> Option<TenantUsage> {
        None
    }
    fn status(&self) -> BusStatus {
        BusStatus {
            state: BusState::Up,
            desired: 0,
            confirmed: 0,
            detail: String::new(),
        }
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
