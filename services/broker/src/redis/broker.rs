//! The backend behind `switchboard_core::Broker`: each call goes to the shard of its peer's partition.

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, join, join_all};
use switchboard_core::{
    Asker, Broker, BrokerError, BrokerEvents, BusServer, BusStatus, CallRecords, Claim, ClaimOutcome,
    ClusterLoad, EndedSession, EventStreams, NodeRecord, Retention, RevocationChange, RoomJoin, RoomLeave,
    RoomPage, RoomQuery, Roster, Route, StoredMessage, TenantUsage,
};
use switchboard_protocol::{Mid, NodeId, PeerId, PeerKey, RoomId, RoomKey, SessionId};
use switchboard_telemetry::Telemetry;
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    attach,
    call_records::RedisCallRecords,
    claim::Release,
    command::{Command, script_call::ScriptCall},
    config::{RedisConfig, RedisConfigError},
    endpoint::Endpoint,
    event_streams::RedisEventStreams,
    node_exchange::{self, Exchanges},
    node_run::NodeRun,
    revocations, room_count, room_queries, session_end,
    shard::{
        rooms, shutdown,
        starter::Starter,
        state::{Shard, Shared},
        tables::{Channel, ChannelRef},
    },
    topology::{self, Topology},
};
use crate::partition::Partition;

/// How long a shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// A node's connection to the others through Redis. Dropping it ends its tasks.
pub struct RedisBroker {
    topology: Arc<Topology>,
    /// The servers that the configuration names.
    endpoints: Vec<Endpoint>,
    exchanges: Arc<Exchanges>,
    unusable: watch::Sender<Option<String>>,
    end: CancellationToken,
    tasks: TaskTracker,
}

impl RedisBroker {
    /// Starts the broker's tasks; Redis need not be there yet. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub fn start(
        config: &RedisConfig,
        node: NodeId,
        events: Arc<dyn BrokerEvents>,
        telemetry: Telemetry,
    ) -> Result<Arc<Self>, RedisConfigError> {
        let endpoints = config.endpoints()?;
        let shared = Shared {
            run: NodeRun::begin(node),
            telemetry,
            unusable: watch::Sender::new(None),
            end: CancellationToken::new(),
            tenant_rooms: Arc::default(),
            window_ms: Arc::default(),
            revocations_due: Arc::default(),
            detours: None,
        };
        let starter = Starter {
            shared,
            events,
            tasks: TaskTracker::new(),
        };
        let topology = topology::open(config, &endpoints, &starter)?;
        let exchanges = Arc::new(Exchanges::default());
        starter.spawn(revocations::run(
            Arc::clone(&topology),
            Arc::clone(&starter.shared.revocations_due),
            Arc::clone(&starter.events),
        ));
        starter.spawn(node_exchange::run(Arc::clone(&exchanges), Arc::clone(&topology)));
        starter.spawn(room_count::run(
            Arc::clone(&starter.shared.tenant_rooms),
            Arc::clone(&topology),
        ));
        starter.tasks.close();
        Ok(Arc::new(Self {
            topology,
            endpoints,
            exchanges,
            unusable: starter.shared.unusable,
            end: starter.shared.end,
            tasks: starter.tasks,
        }))
    }

    /// Makes every later connection with the user and the password of `config`. Open connections stay: Redis does not ask
    /// them again.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work, or is that of another server.
    pub fn set_credentials(&self, config: &RedisConfig) -> Result<(), RedisConfigError> {
        let next = config.endpoints()?;
        let pairs = || self.endpoints.iter().zip(&next);
        if next.len() != self.endpoints.len() || !pairs().all(|(own, next)| own.is_same_server(next)) {
            return Err(RedisConfigError::OtherServer);
        }
        pairs().for_each(|(own, next)| own.set_access(next));
        Ok(())
    }

    /// The call records of the cluster.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub fn call_records(&self) -> Result<Arc<dyn CallRecords>, RedisConfigError> {
        Ok(Arc::new(RedisCallRecords::new(&self.topology)?))
    }

    /// The event streams of the cluster.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the configuration can never work.
    pub fn event_streams(&self) -> Result<Arc<dyn EventStreams>, RedisConfigError> {
        Ok(Arc::new(RedisEventStreams::new(&self.topology)?))
    }

    fn shard_of(&self, key: &PeerKey) -> Arc<Shard> {
        self.topology.shard_of(Partition::of(key.as_str()))
    }

    fn shard_of_room(&self, room: &RoomKey) -> Arc<Shard> {
        self.topology.shard_of(Partition::of(room.as_str()))
    }

    /// Queues a call whose failure costs no more than a repetition.
    fn note(&self, key: &PeerKey, call: ScriptCall) {
        if let Err(error) = self.shard_of(key).send(Command::script(call)) {
            tracing::debug!(%error, "a note about an offline queue was not sent");
        }
    }

    async fn end_in_order(&self) -> Result<(), String> {
        let shards = self.topology.shards();
        join_all(shards.iter().map(|shard| shutdown::flush(shard))).await;
        self.end.cancel();
        self.tasks.wait().await;
        let nodes = self.topology.shard_of_nodes();
        let released = join_all(shards.iter().map(|shard| shutdown::release_all(shard)));
        let (released, withdrawn) = join(released, node_exchange::withdraw(&nodes)).await;
        released.into_iter().chain([withdrawn]).collect()
    }
}

impl Drop for RedisBroker {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Broker for RedisBroker {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        Box::pin(attach::attach(&self.topology, key, claim))
    }

    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, keep: Option<Retention>) {
        self.topology.at(Partition::of(key.as_str()), |shard, tables| {
            let Some(fence) = tables.give_up(key, session, fence) else {
                return;
            };
            shard.subscription_changes.notify_one();
            shard.release(Release {
                key: key.clone(),
                session,
                fence,
                retention: keep,
            });
        });
    }

    fn publish(&self, mid: Mid, to: &PeerKey, envelope: Vec<u8>) -> Result<(), BrokerError> {
        let partition = Partition::of(to.as_str());
        self.topology.routes().shard_of(partition).send(Command::Publish {
            mid,
            to: to.clone(),
            partition,
            envelope,
        })
    }

    fn locate(&self, asker: Asker, to: &PeerKey) -> Result<(), BrokerError> {
        let to = to.clone();
        self.shard_of(&to).send(Command::Locate { asker, to })
    }

    fn watch(&self, peer: &PeerKey) -> bool {
        self.topology.at(Partition::of(peer.as_str()), |shard, tables| {
            let channel = Channel::Presence(peer.clone());
            tables.subscriptions.count_user(&channel);
            shard.subscription_changes.notify_one();
            tables.subscriptions.is_confirmed(channel.name())
        })
    }

    fn unwatch(&self, peer: &PeerKey) {
        self.topology.at(Partition::of(peer.as_str()), |shard, tables| {
            let channel = ChannelRef::Presence(peer.as_str());
            tables.subscriptions.remove_user(channel);
            shard.subscription_changes.notify_one();
        });
    }

    fn store(&self, message: StoredMessage) -> Result<(), BrokerError> {
        self.shard_of(&message.to).send(Command::store(message))
    }

    fn read_offline_queue(&self, key: &PeerKey, session: SessionId) {
        self.note(key, ScriptCall::ReadOfflineQueue(key.clone(), session));
    }

    fn remove_stored(&self, key: &PeerKey, session: SessionId, messages: usize, bytes: usize) {
        let call = ScriptCall::RemoveStored {
            key: key.clone(),
            session,
            messages,
            bytes,
        };
        self.note(key, call);
    }

    fn touch(&self, key: &PeerKey, session: SessionId) {
        self.note(key, ScriptCall::Touch(key.clone(), session));
    }

    fn route_of(&self, peer: &PeerKey) -> Route {
        self.topology.route_of(Partition::of(peer.as_str()))
    }

    fn send_to_node(&self, node: &NodeId, route: Route, message: Vec<u8>) -> Result<(), BrokerError> {
        self.topology.shard_on(route).send(Command::PublishToNode {
            node: node.clone(),
            message,
        })
    }

    fn tenant_usage(&self, own: TenantUsage) -> Option<TenantUsage> {
        self.exchanges.usage.exchange(own)
    }

    fn end_session<'a>(
        &'a self,
        key: &'a PeerKey,
    ) -> BoxFuture<'a, Result<Option<EndedSession>, BrokerError>> {
        Box::pin(session_end::end(&self.topology, key))
    }

    fn revoke<'a>(&'a self, change: &'a RevocationChange) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(revocations::revoke(&self.topology, change))
    }

    fn join_room(&self, join: RoomJoin) -> Result<(), BrokerError> {
        rooms::join(&self.shard_of_room(&join.room), join)
    }

    fn leave_room(&self, leave: RoomLeave) {
        rooms::leave(&self.shard_of_room(&leave.room), leave);
    }

    fn detach_member(&self, room: &RoomKey, peer: &PeerId, session: SessionId) {
        rooms::detach(&self.shard_of_room(room), room, peer, session);
    }

    fn publish_to_room(&self, room: &RoomKey, mid: Mid, envelope: Vec<u8>) -> Result<(), BrokerError> {
        let partition = Partition::of(room.as_str());
        self.topology
            .routes()
            .shard_of(partition)
            .send(Command::PublishToRoom {
                mid,
                room: room.clone(),
                partition,
                envelope,
            })
    }

    fn forget_room(&self, room: &RoomKey) {
        rooms::forget(&self.shard_of_room(room), room);
    }

    fn roster<'a>(&'a self, room: &'a RoomKey) -> BoxFuture<'a, Result<Roster, BrokerError>> {
        Box::pin(async move { room_queries::roster(&self.shard_of_room(room), room).await })
    }

    fn has_member<'a>(
        &'a self,
        room: &'a RoomKey,
        peer: &'a PeerId,
    ) -> BoxFuture<'a, Result<bool, BrokerError>> {
        Box::pin(async move { room_queries::has_member(&self.shard_of_room(room), room, peer).await })
    }

    fn rooms_of<'a>(&'a self, peer: &'a PeerKey) -> BoxFuture<'a, Result<Vec<RoomId>, BrokerError>> {
        Box::pin(async move { room_queries::rooms_of(&self.shard_of(peer), peer).await })
    }

    fn rooms(&self, query: RoomQuery) -> BoxFuture<'_, Result<RoomPage, BrokerError>> {
        Box::pin(room_queries::list(&self.topology, query))
    }

    fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad> {
        self.exchanges.load.exchange(own)
    }

    fn node_records(&self, own: NodeRecord) -> Vec<NodeRecord> {
        self.exchanges.records.exchange(own)
    }

    fn status(&self) -> BusStatus {
        self.topology.status()
    }

    fn servers(&self) -> Vec<BusServer> {
        self.topology.servers()
    }

    fn until_unusable(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let mut unusable = self.unusable.subscribe();
            let why = unusable.wait_for(Option::is_some).await;
            // The sender is this broker's own, so it is there.
            let why = why.ok().and_then(|why| why.clone());
            why.unwrap_or_default()
        })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            match timeout(SHUTDOWN, self.end_in_order()).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => tracing::warn!(why, "claims were not released; they end with the lease"),
                Err(_) => tracing::warn!("Redis is too slow to release claims; they end with the lease"),
            }
            self.end.cancel();
        })
    }
}
