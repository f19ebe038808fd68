//! A bus for rooms: several routers, the reference records, and queues of events that a test empties as it likes.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{
    Info, LeaveReason, MessageId, MessageKind, Mid, NodeId, PeerId, PeerKey, RoomId, RoomKey, SessionId,
};
use switchboard_telemetry::Telemetry;

use super::harness::{key, write};
use crate::{
    Asker, AttachRequest, Attachment, Broker, BrokerError, BrokerEvents as _, BusState, BusStatus, Claim,
    ClaimOutcome, ClusterLoad, EndedSession, JoinError, Limits, OnDisconnect, Records, Retention,
    RevocationChange, RoomDelta, RoomJoin, RoomJoined, RoomLeave, RoomLeft, RoomPage, RoomQuery, RoomRecords,
    RoomSend, Roster, Route, Router, StoredMessage, TenantUsage,
};

/// What a node is about to hear.
#[derive(Debug, Clone)]
pub(super) enum BusEvent {
    Joined(RoomKey, PeerId, SessionId, Result<RoomJoined, JoinError>),
    Left(RoomKey, RoomLeft),
    Delta(RoomKey, RoomDelta),
    Message(RoomKey, Bytes),
    Published(RoomKey, Mid),
}

#[derive(Default)]
struct Shared {
    records: Records,
    rooms: RoomRecords,
    listeners: HashMap<RoomKey, Vec<NodeId>>,
    queues: HashMap<NodeId, VecDeque<BusEvent>>,
    is_down: bool,
}

/// The bus that nodes share.
#[derive(Clone, Default)]
pub(super) struct RoomBus(Arc<Mutex<Shared>>);

/// One node's place on it.
struct Place {
    node: NodeId,
    bus: RoomBus,
}

/// A node of the test.
pub(super) struct RoomNode {
    pub(super) router: Arc<Router>,
    bus: RoomBus,
}

impl RoomBus {
    pub(super) fn node(&self, name: &str) -> RoomNode {
        self.node_with(name, Limits::default())
    }

    pub(super) fn node_with(&self, name: &str, limits: Limits) -> RoomNode {
        let node = NodeId::new(name).unwrap();
        let router = Router::new(node.clone(), limits, Telemetry::new(name));
        router.set_broker(Arc::new(Place {
            node,
            bus: self.clone(),
        }));
        RoomNode {
            router,
            bus: self.clone(),
        }
    }

    pub(super) fn set_down(&self, is_down: bool) {
        self.0.lock().is_down = is_down;
    }

    /// The names of the members, by the records.
    pub(super) fn members(&self, room: &str) -> Vec<String> {
        let roster = self.0.lock().rooms.roster(&room_key(room));
        let mut members: Vec<_> = roster
            .members
            .iter()
            .map(|member| member.peer.to_string())
            .collect();
        members.sort();
        members
    }

    /// The node is dead: nobody hears of it again, and another node removes its members.
    pub(super) fn kill(&self, node: &RoomNode) {
        let mut shared = self.0.lock();
        let name = node.router.node();
        shared.records.orphan(name, Instant::now());
        shared.queues.remove(name);
        for listeners in shared.listeners.values_mut() {
            listeners.retain(|listener| listener != name);
        }
        for (room, _, delta) in shared.rooms.remove_node(name) {
            shared.announce(&room, Some(delta));
        }
    }
}

impl Shared {
    fn announce(&mut self, room: &RoomKey, delta: Option<RoomDelta>) {
        if let Some(delta) = delta {
            self.tell(room, &BusEvent::Delta(room.clone(), delta));
        }
    }

    fn tell(&mut self, room: &RoomKey, event: &BusEvent) {
        for node in self.listeners.get(room).into_iter().flatten() {
            self.queues.entry_ref(node).or_default().push_back(event.clone());
        }
    }

    fn report(&mut self, node: &NodeId, event: BusEvent) {
        self.queues.entry_ref(node).or_default().push_back(event);
    }
}

impl RoomNode {
    pub(super) fn attach(&self, name: &str) -> Attachment {
        self.attach_as(name, AttachRequest::default())
    }

    pub(super) fn attach_as(&self, name: &str, request: AttachRequest) -> Attachment {
        let attached = self.router.attach(&key(name), request).now_or_never();
        attached.expect("the bus answers at once").unwrap()
    }

    pub(super) fn resume(&self, earlier: (switchboard_protocol::ResumeToken, u64), name: &str) -> Attachment {
        let request = AttachRequest {
            resume: Some(earlier),
            ..AttachRequest::default()
        };
        let attached = self.attach_as(name, request);
        assert!(attached.is_resumed());
        attached
    }

    pub(super) fn join(&self, of: &Attachment, room: &str) {
        self.router
            .join_room(of.session(), &room_key(room), None, Some(1));
    }

    pub(super) fn join_as(&self, of: &Attachment, room: &str, info: &str) {
        let info = serde_json::value::RawValue::from_string(info.into()).unwrap();
        self.router
            .join_room(of.session(), &room_key(room), Some(Info::from(info)), None);
    }

    pub(super) fn leave(&self, of: &Attachment, room: &str) {
        self.router.leave_room(of.session(), &room_key(room), Some(2));
    }

    pub(super) fn send(&self, of: &Attachment, room: &str, id: u64, payload: &'static str) {
        let send = RoomSend {
            room: room_key(room),
            kind: MessageKind::Message,
            payload: Bytes::from_static(payload.as_bytes()),
            id: MessageId::Client(id),
        };
        self.router.send_to_room(of.session(), send);
    }

    /// What waits for this node.
    pub(super) fn take_queued(&self) -> Vec<BusEvent> {
        let mut shared = self.bus.0.lock();
        let queue = shared.queues.get_mut(self.router.node());
        queue.map(std::mem::take).unwrap_or_default().into()
    }

    pub(super) fn hear(&self, event: BusEvent) {
        match event {
            BusEvent::Joined(room, peer, session, outcome) => {
                self.router.on_room_joined(&room, &peer, session, outcome);
            }
            BusEvent::Left(room, left) => self.router.on_room_left(&room, left),
            BusEvent::Delta(room, delta) => self.router.on_room_delta(&room, delta),
            BusEvent::Message(room, envelope) => self.router.on_room_message(room.as_str(), envelope),
            BusEvent::Published(room, mid) => self.router.on_room_published(&room, mid, Ok(())),
        }
    }

    /// A second passes: the timers run, and rosters are read.
    pub(super) fn tick(&self) {
        self.router
            .context()
            .clock
            .advance(std::time::Duration::from_secs(1));
        self.router.room_side().tick();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(self.router.room_side().read_unread());
    }
}

/// All nodes hear all that waits for them, until nothing does.
pub(super) fn quiet(nodes: &[&RoomNode]) {
    loop {
        let mut is_quiet = true;
        for node in nodes {
            for event in node.take_queued() {
                is_quiet = false;
                node.hear(event);
            }
        }
        if is_quiet {
            return;
        }
    }
}

/// What `of` reads, without versions: `joined lobby alice,bob`, `+bob`, `-bob left`, `count 7`.
pub(super) fn reads(of: &Attachment) -> Vec<String> {
    write(of).iter().map(|text| short(text)).collect()
}

fn short(text: &str) -> String {
    let Ok(event) = serde_json::from_str::<serde_json::Value>(text) else {
        return text.to_owned();
    };
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    match event["type"].as_str() {
        Some("joined") => {
            let gap = if event["gap"] == true { " gap" } else { "" };
            let members = event["members"].as_array().map(|members| {
                let mut names: Vec<_> = members
                    .iter()
                    .map(|member| member["peer"].as_str().unwrap())
                    .collect();
                names.sort_unstable();
                names.join(",")
            });
            let members = members.unwrap_or_else(|| event["count"].to_string());
            format!("joined {} {members}{gap}", text("room"))
        }
        Some("peer-joined") => format!("+{}", text("peer")),
        Some("peer-left") => format!("-{} {}", text("peer"), text("reason")),
        Some("room-count") => format!("count {}", event["count"]),
        Some("left") => format!("left {} {}", text("room"), text("reason"))
            .trim_end()
            .to_owned(),
        Some("receipt") => format!("{} {}", event["id"], text("status")),
        _ => event.to_string(),
    }
}

pub(super) fn room_key(name: &str) -> RoomKey {
    RoomKey::parse(&format!("default/{name}")).unwrap()
}

/// The connection is lost; returns what a resume needs.
pub(super) fn lose(of: Attachment, seen: u64) -> (switchboard_protocol::ResumeToken, u64) {
    let token = of.token();
    drop(of);
    (token, seen)
}

/// The connection ends for good.
pub(super) fn end(mut of: Attachment, reason: LeaveReason) {
    of.on_disconnect(OnDisconnect::End, reason);
}

impl Broker for Place {
    fn attach<'a>(
        &'a self,
        key: &'a PeerKey,
        claim: Claim,
    ) -> BoxFuture<'a, Result<ClaimOutcome, BrokerError>> {
        let mut shared = self.bus.0.lock();
        let outcome = shared.records.claim(key, &self.node, &claim, Instant::now());
        std::future::ready(outcome).boxed()
    }
    fn detach(&self, key: &PeerKey, session: SessionId, fence: u64, retention: Option<Retention>) {
        let mut shared = self.bus.0.lock();
        shared
            .records
            .detach(key, &self.node, session, fence, retention, Instant::now());
    }
    fn publish(&self, _: Mid, _: &PeerKey, _: Vec<u8>) -> Result<(), BrokerError> {
        Err(BrokerError::Unavailable)
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
    fn send_to_node(&self, _: &NodeId, _: Route, _: Vec<u8>) -> Result<(), BrokerError> {
        Ok(())
    }
    fn join_room(&self, join: RoomJoin) -> Result<(), BrokerError> {
        let mut shared = self.bus.0.lock();
        if shared.is_down {
            return Err(BrokerError::Unavailable);
        }
        let listeners = shared.listeners.entry_ref(&join.room).or_default();
        if !listeners.contains(&self.node) {
            listeners.push(self.node.clone());
        }
        let outcome = shared.rooms.join(&join, &self.node);
        let RoomJoin { room, member, .. } = join;
        let (peer, session) = (member.peer.clone(), member.session);
        let (outcome, delta) = match outcome {
            Ok((joined, delta)) => {
                let key = PeerKey::new(room.tenant(), &peer);
                shared
                    .records
                    .enter_room(&key, session, room.room_id(), member.info);
                (Ok(joined), delta)
            }
            Err(error) => (Err(error), None),
        };
        shared.report(&self.node, BusEvent::Joined(room.clone(), peer, session, outcome));
        shared.announce(&room, delta);
        Ok(())
    }
    fn leave_room(&self, leave: RoomLeave) {
        let mut shared = self.bus.0.lock();
        if let Some((left, delta)) = shared.rooms.leave(&leave, &self.node) {
            shared.report(&self.node, BusEvent::Left(leave.room.clone(), left));
            shared.announce(&leave.room, Some(delta));
        }
    }
    fn detach_member(&self, room: &RoomKey, peer: &PeerId, session: SessionId) {
        let mut shared = self.bus.0.lock();
        let delta = shared.rooms.detach(room, peer, session, &self.node);
        shared.announce(room, delta);
    }
    fn publish_to_room(&self, room: &RoomKey, mid: Mid, envelope: Vec<u8>) -> Result<(), BrokerError> {
        let mut shared = self.bus.0.lock();
        if shared.is_down {
            return Err(BrokerError::Unavailable);
        }
        shared.report(&self.node, BusEvent::Published(room.clone(), mid));
        shared.tell(room, &BusEvent::Message(room.clone(), envelope.into()));
        Ok(())
    }
    fn forget_room(&self, room: &RoomKey) {
        let mut shared = self.bus.0.lock();
        if let Some(listeners) = shared.listeners.get_mut(room) {
            listeners.retain(|listener| *listener != self.node);
        }
    }
    fn roster<'a>(&'a self, room: &'a RoomKey) -> BoxFuture<'a, Result<Roster, BrokerError>> {
        let shared = self.bus.0.lock();
        let roster = if shared.is_down {
            Err(BrokerError::Unavailable)
        } else {
            Ok(shared.rooms.roster(room))
        };
        std::future::ready(roster).boxed()
    }
    fn has_member<'a>(
        &'a self,
        room: &'a RoomKey,
        peer: &'a PeerId,
    ) -> BoxFuture<'a, Result<bool, BrokerError>> {
        std::future::ready(Ok(self.bus.0.lock().rooms.has_member(room, peer))).boxed()
    }
    fn rooms_of<'a>(&'a self, peer: &'a PeerKey) -> BoxFuture<'a, Result<Vec<RoomId>, BrokerError>> {
        let rooms = self.bus.0.lock().records.rooms_of(peer, Instant::now());
        std::future::ready(Ok(rooms)).boxed()
    }
    fn rooms(&self, query: RoomQuery) -> BoxFuture<'_, Result<RoomPage, BrokerError>> {
        std::future::ready(self.bus.0.lock().rooms.page(&query)).boxed()
    }
    fn cluster_load(&self, _: Option<usize>) -> Option<ClusterLoad> {
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
    fn tenant_usage(&self, _: TenantUsage) -> Option<TenantUsage> {
        None
    }
    fn end_session<'a>(
        &'a self,
        key: &'a PeerKey,
    ) -> BoxFuture<'a, Result<Option<EndedSession>, BrokerError>> {
        let mut shared = self.bus.0.lock();
        let owner = shared.records.owner(key, Instant::now());
        let ended = owner.map(|owner| {
            let rooms = shared.records.end_detached(key, owner.session);
            let session = owner.session;
            // Nodes of this bus ask each other nothing.
            let rooms = rooms.ok_or(BrokerError::Unavailable)?;
            Ok(EndedSession::Detached { session, rooms })
        });
        std::future::ready(ended.transpose()).boxed()
    }
    fn revoke<'a>(&'a self, _: &'a RevocationChange) -> BoxFuture<'a, Result<(), BrokerError>> {
        std::future::ready(Err(BrokerError::Unavailable)).boxed()
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}
