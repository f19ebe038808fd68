//! A node's router: it ties the sender side, the receiver side, the sessions and the rebalancing together.
//! It decides nothing itself.

use std::{net::IpAddr, sync::Arc};

use switchboard_protocol::{NodeId, NodeMessage, PeerKey, SessionId};
use switchboard_telemetry::Telemetry;

use crate::{
    broker::{
        error::BrokerError,
        interface::Broker,
        node_record::NodeRecord,
        presence::Located,
        status::{BusServer, BusState, BusStatus},
    },
    context::Context,
    limits::{AddressAccount, Limits, PeerAccount},
    memory::Memory,
    observer::Observer,
    presence::side::{PresenceCommand, PresenceSide},
    quotas,
    rebalance::candidates::Rebalance,
    receive::side::ReceiverSide,
    relay::Relay,
    rooms::side::RoomSide,
    send::{
        sender::Sender,
        side::{SendRequest, SenderSide},
    },
    session::{
        handle::Session,
        lifecycle::{Lifecycle, Parts},
    },
};

/// The router of one node.
pub struct Router {
    cx: Arc<Context>,
    sender: Arc<SenderSide>,
    receiver: Arc<ReceiverSide>,
    rooms: Arc<RoomSide>,
    presence: Arc<PresenceSide>,
    lifecycle: Lifecycle,
    rebalance: Rebalance,
    memory: Memory,
}

impl Router {
    /// A router without a broker: call [`Router::set_broker`] before the first peer attaches.
    #[must_use]
    pub fn new(node: NodeId, limits: Limits, telemetry: Telemetry) -> Arc<Self> {
        let cx = Context::new(node, limits, telemetry);
        let sender = Arc::new(SenderSide::new(Arc::clone(&cx)));
        let receiver = Arc::new(ReceiverSide::new(Arc::clone(&cx)));
        let presence = Arc::new(PresenceSide::new(Arc::clone(&cx)));
        let rooms = Arc::new(RoomSide::new(Arc::clone(&cx)));
        let parts = Parts {
            sender: Arc::clone(&sender),
            receiver: Arc::clone(&receiver),
            presence: Arc::clone(&presence),
            rooms: Arc::clone(&rooms),
        };
        Arc::new(Self {
            lifecycle: Lifecycle::new(Arc::clone(&cx), parts),
            rooms,
            rebalance: Rebalance::new(Arc::clone(&cx)),
            memory: Memory::new(Arc::clone(&cx)),
            sender,
            receiver,
            presence,
            cx,
        })
    }

    /// Connects the router with the other nodes. Only the first call counts.
    pub fn set_broker(&self, broker: Arc<dyn Broker>) {
        self.cx.set_broker(broker);
    }

    /// Reports to `observer` what happens. Only the first call counts.
    pub fn set_observer(&self, observer: Arc<dyn Observer>) {
        self.cx.set_observer(observer);
    }

    /// Requests that other nodes got for sessions here go to `relay`. Only the first call counts.
    pub fn set_relay(&self, relay: Arc<dyn Relay>) {
        self.cx.set_relay(relay);
    }

    /// Sends `message` of the relay about a session of `peer` to `node`; at most once, without a report.
    ///
    /// # Errors
    /// [`BrokerError::QueueFull`], [`BrokerError::Unavailable`] or [`BrokerError::OtherVersion`].
    pub fn relay(&self, node: &NodeId, peer: &PeerKey, message: &NodeMessage) -> Result<(), BrokerError> {
        self.cx.send_to_node(node, peer, message)
    }

    /// Runs the router's timers until the future is dropped. Completes at once without a broker.
    pub async fn run(&self) {
        if self.cx.broker().is_ok() {
            tokio::join!(
                self.receiver.run(),
                self.sender.run_retries(),
                quotas::run(Arc::clone(&self.cx)),
                self.presence.run(),
                self.rooms.run()
            );
        }
    }

    /// Whether memory is so scarce that new connections are to be refused.
    #[must_use]
    pub fn is_short_of_memory(&self) -> bool {
        self.memory.is_short()
    }

    /// Compares the resident memory with `limits.memory_bytes` and acts; called about once a second.
    pub fn observe_memory(&self, resident_bytes: u64) {
        self.memory.observe(resident_bytes, &self.lifecycle);
    }

    /// The bounds of this node.
    #[must_use]
    pub fn limits(&self) -> &Arc<Limits> {
        &self.cx.limits
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.cx.node
    }

    /// The state of the bus between nodes.
    #[must_use]
    pub fn bus(&self) -> BusStatus {
        self.cx.broker().map_or_else(
            |_| BusStatus {
                state: BusState::Connecting,
                desired: 0,
                confirmed: 0,
                detail: "no broker yet".into(),
            },
            |broker| broker.status(),
        )
    }

    /// The servers of the bus.
    #[must_use]
    pub fn bus_servers(&self) -> Vec<BusServer> {
        let broker = self.cx.broker();
        broker.map(|broker| broker.servers()).unwrap_or_default()
    }

    /// Publishes what this node says of itself. Returns what the others say, seconds old.
    #[must_use]
    pub fn node_records(&self, own: NodeRecord) -> Vec<NodeRecord> {
        let broker = self.cx.broker();
        let records = broker.map(|broker| broker.node_records(own));
        let records = records.unwrap_or_default();
        self.cx.wire_versions.set(&records);
        records
    }

    /// Which clients should move to another node.
    #[must_use]
    pub fn rebalance(&self) -> &Rebalance {
        &self.rebalance
    }

    /// Takes one send. A numbered one ends in exactly one [`Sender::on_outcome`]; a session passes it on to its
    /// client.
    pub fn send<S: Sender + 'static>(&self, sender: &Arc<S>, request: SendRequest) {
        self.sender.send(sender, request);
    }

    /// Enters a sender without a connection, so it hears the outcomes of its sends. Sessions are entered by
    /// [`Router::attach`].
    pub fn add_sender(&self, sender: Arc<dyn Sender>) {
        self.cx.registry.add_sender(sender);
    }

    /// Removes a sender without a connection: it hears no more outcomes.
    pub fn remove_sender(&self, id: SessionId) {
        self.cx.registry.remove_sender(id);
    }

    /// Everything up to `seq` has reached the client of `session`: the socket has it or, with `acks=client`, the
    /// client says so.
    pub fn done(&self, session: &Session, seq: u64) {
        self.receiver.done(session, seq);
    }

    /// The client of `session` has processed everything before `seq` and refuses `seq` as late.
    pub fn refused(&self, session: &Session, seq: u64) {
        self.receiver.refused(session, seq);
    }

    /// Carries out a command of `session`'s client, which may ask for `peers`. The client gets `presence` or an error,
    /// with this `id`.
    pub fn on_presence_command(
        &self,
        session: &Arc<Session>,
        command: PresenceCommand,
        peers: Vec<PeerKey>,
        id: Option<u64>,
    ) {
        self.presence.on_command(session, command, peers, id);
    }

    /// Where `peer` is, on any node.
    ///
    /// # Errors
    /// [`BrokerError`] when the bus cannot tell.
    pub async fn locate(&self, peer: &PeerKey) -> Result<Located, BrokerError> {
        self.presence.locate(peer).await
    }

    /// What `key` has of this node, over all its sessions.
    #[must_use]
    pub fn account(&self, key: &PeerKey) -> Arc<PeerAccount> {
        self.cx.budgets.account(key, self.cx.now())
    }

    /// What the clients of `address` have of this node; `None` where the operator sets no bound.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> Option<Arc<AddressAccount>> {
        self.cx.budgets.address(address)
    }

    /// Sets the gauges that are computed only when somebody reads the metrics: it visits every session.
    pub fn update_gauges(&self) {
        let sessions = self.cx.registry.all();
        let bytes = sessions.iter().map(|session| session.send_queue_bytes()).sum();
        self.cx.telemetry.send_queue_bytes(bytes);
        self.rooms.update_gauges();
    }

    /// Tells the cluster that the client of `session` is alive.
    pub(crate) fn touch(&self, session: &Session) {
        if let Ok(broker) = self.cx.broker() {
            broker.touch(session.key(), session.id());
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.cx
    }

    pub(crate) fn sender_side(&self) -> &SenderSide {
        &self.sender
    }

    pub(crate) fn receiver_side(&self) -> &ReceiverSide {
        &self.receiver
    }

    pub(crate) fn presence_side(&self) -> &PresenceSide {
        &self.presence
    }

    pub(crate) fn room_side(&self) -> &RoomSide {
        &self.rooms
    }

    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.cx.telemetry
    }
}
