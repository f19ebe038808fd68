//! One peer in its rooms: what it is ordered to do, what it receives, and its part of the check at the end.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use switchboard_client::{RoomEvent, Roster, Rosters};
use switchboard_protocol::{MessageKind, PeerId};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    hearing::{Hearing, Source},
    truth::Truth,
};
use crate::{
    drivers::{Driver, LinkEvent, Outcome, RoomLink},
    record::{Counter, Metric},
    work::{oracle::Oracle, peer::Peer, stamp},
};

/// How often a peer compares its rosters with the truth at the end, next to each event.
const COMPARE_EVERY: Duration = Duration::from_millis(500);

/// Names in the description of a wrong roster.
const MAX_NAMES: usize = 3;

/// What all peers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) truth: Truth,
    pub(super) oracle: Arc<Oracle>,
    pub(super) payload_bytes: usize,
    /// One permit for each order that a peer has followed.
    pub(super) followed: Semaphore,
    /// One permit for each peer whose rosters have been right after the load.
    pub(super) right: Semaphore,
    /// One permit for each peer that has made its check.
    pub(super) checked: Semaphore,
}

/// What a peer is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Join the room, or leave it if it is in it.
    Change {
        /// The number of the room.
        room: usize,
        /// How long after its planned moment.
        late: Duration,
    },
    /// Send to one of its rooms.
    Say {
        /// How long after its planned moment.
        late: Duration,
    },
}

/// The phase for all peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Follow orders.
    Load,
    /// No order follows. The last one was given at this moment.
    Quiet(Instant),
    /// Check, once.
    Check,
    /// Leave.
    Leave,
}

/// A request that has no answer.
#[derive(Debug)]
enum Pending {
    Join {
        room: usize,
        at: StdInstant,
        late: Duration,
    },
    Leave {
        room: usize,
    },
    Say {
        source: Source,
        number: u64,
        at: StdInstant,
        late: Duration,
    },
}

/// One peer.
pub(super) struct Member<D: Driver> {
    number: usize,
    peer: Peer<D>,
    shared: Arc<Shared>,
    /// The rooms that it is in, or has asked to be in.
    wanted: BTreeSet<usize>,
    /// The rooms with a pending join or leave.
    changing: BTreeSet<usize>,
    pending: HashMap<u64, Pending>,
    /// The rooms that it joined, by the number of the join: a session that is lost joins again with it.
    joined: HashMap<u64, usize>,
    rosters: Rosters,
    hearing: Hearing,
    said: usize,
}

impl<D> Member<D>
where
    D: Driver,
    D::Link: RoomLink,
{
    pub(super) fn new(number: usize, peer: Peer<D>, shared: Arc<Shared>) -> Self {
        Self {
            number,
            peer,
            shared,
            wanted: BTreeSet::new(),
            changing: BTreeSet::new(),
            pending: HashMap::new(),
            joined: HashMap::new(),
            rosters: Rosters::default(),
            hearing: Hearing::default(),
            said: 0,
        }
    }

    /// Follows orders and phases to the end.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>, mut phases: watch::Receiver<Phase>) {
        let mut compares = interval(COMPARE_EVERY);
        compares.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut quiet_since = None;
        loop {
            tokio::select! {
                biased;
                changed = phases.changed() => match (*phases.borrow_and_update(), changed) {
                    (Phase::Quiet(since), Ok(())) => quiet_since = Some(since),
                    (Phase::Check, Ok(())) => {
                        quiet_since = None;
                        self.check();
                    }
                    (Phase::Load, Ok(())) => {}
                    (Phase::Leave, _) | (_, Err(_)) => break,
                },
                Some(order) = orders.recv() => {
                    self.follow(order).await;
                    self.shared.followed.add_permits(1);
                }
                event = self.peer.next() => self.on_event(event),
                _ = compares.tick(), if quiet_since.is_some() => {}
            }
            if let Some(since) = quiet_since.filter(|_| self.is_right()) {
                let took = since.elapsed();
                let recorder = &self.shared.oracle.recorder;
                recorder.time(Metric::RosterComplete, took, Duration::ZERO);
                self.shared.right.add_permits(1);
                quiet_since = None;
            }
        }
        self.peer.close().await;
    }

    async fn follow(&mut self, order: Order) {
        match order {
            Order::Change { room, .. } if self.changing.contains(&room) => {
                self.shared.oracle.recorder.count(Counter::Dropped);
            }
            Order::Change { room, .. } if self.wanted.contains(&room) => self.leave(room).await,
            Order::Change { room, late } => self.join(room, late).await,
            Order::Say { late } => self.say(late).await,
        }
    }

    async fn join(&mut self, room: usize, late: Duration) {
        let shared = Arc::clone(&self.shared);
        let truth = shared.truth.room(room);
        let Some(link) = self.peer.link() else { return };
        let at = StdInstant::now();
        if let Ok(id) = link.join(&truth.name).await {
            truth.members.lock().insert(self.peer.name.clone());
            self.wanted.insert(room);
            self.changing.insert(room);
            self.pending.insert(id, Pending::Join { room, at, late });
        }
    }

    async fn leave(&mut self, room: usize) {
        let shared = Arc::clone(&self.shared);
        let truth = shared.truth.room(room);
        let Some(link) = self.peer.link() else { return };
        if let Ok(id) = link.leave(&truth.name).await {
            self.forget_room(room);
            self.changing.insert(room);
            self.pending.insert(id, Pending::Leave { room });
        }
    }

    async fn say(&mut self, late: Duration) {
        let shared = Arc::clone(&self.shared);
        let rooms = || self.wanted.difference(&self.changing);
        let count = rooms().count();
        let Some(room) = rooms().nth(self.said % count.max(1)).copied() else {
            return;
        };
        self.said += 1;
        let source = Source {
            room,
            speaker: self.number,
        };
        let truth = shared.truth.room(room);
        let (Some(spoken), Some(link)) = (truth.spoken.get(self.number), self.peer.link()) else {
            return;
        };
        let oracle = &shared.oracle;
        let number = spoken.lock().last + 1;
        let Ok(payload) = stamp::payload(source.flow(), number, shared.payload_bytes) else {
            oracle.recorder.error("a payload could not be made");
            return;
        };
        let at = StdInstant::now();
        // Noted first: it may arrive before the link returns.
        spoken.lock().sent(at, late);
        let Ok(id) = link
            .send_to_room(MessageKind::Message, &truth.name, &payload)
            .await
        else {
            spoken.lock().failed.insert(number);
            oracle
                .recorder
                .error("send: not sent, the connection is over or full");
            return;
        };
        oracle.recorder.count(Counter::Sent);
        oracle
            .recorder
            .add(Counter::BytesSent, payload.get().len() as u64);
        let say = Pending::Say {
            source,
            number,
            at,
            late,
        };
        self.pending.insert(id, say);
    }

    fn on_event(&mut self, event: LinkEvent) {
        let shared = Arc::clone(&self.shared);
        match event {
            LinkEvent::Room(event) => self.on_room_event(event),
            LinkEvent::RoomMessage { room, from, payload } => {
                let room = shared.truth.number_of(&room);
                match stamp::read(&payload) {
                    Some(stamp) if from != self.peer.name => {
                        self.hearing.arrived(&shared.truth, &shared.oracle, room, stamp);
                    }
                    Some(_) => shared.oracle.violation(Counter::Misdelivered, || {
                        format!("{from} received its own message")
                    }),
                    None => shared
                        .oracle
                        .violation(Counter::Corrupted, || format!("a payload of {from} was changed")),
                }
            }
            LinkEvent::Message { .. } => shared.oracle.violation(Counter::Misdelivered, || {
                format!("{} received a message to a peer", self.peer.name)
            }),
            LinkEvent::Outcome { id, outcome } => self.on_outcome(id, outcome),
            LinkEvent::Refused { id, reason } => self.on_refused(id, &reason),
            LinkEvent::Disconnected(_) => {}
            LinkEvent::Reconnected { resumed, gap, .. } => {
                if gap || !resumed {
                    for room in &self.wanted {
                        self.hearing.enter(&shared.truth, *room, self.number);
                    }
                }
            }
            LinkEvent::Ended(_) => {
                for room in self.wanted.clone() {
                    self.forget_room(room);
                }
                self.changing.clear();
                self.rosters = Rosters::default();
                for (_, pending) in self.pending.drain() {
                    if let Pending::Say { source, number, .. } = pending {
                        fail(&shared.truth, source, number);
                    }
                }
            }
        }
    }

    fn on_room_event(&mut self, event: RoomEvent) {
        let shared = Arc::clone(&self.shared);
        self.rosters.apply(&event);
        match event {
            RoomEvent::Joined(joined) => {
                let Some(room) = shared.truth.number_of(joined.room.as_str()) else {
                    return;
                };
                if let Some(id) = joined.id {
                    if let Some(Pending::Join { at, late, .. }) = self.pending.remove(&id) {
                        let recorder = &shared.oracle.recorder;
                        recorder.count(Counter::Joins);
                        recorder.time(Metric::Join, at.elapsed(), late);
                        self.changing.remove(&room);
                    }
                    self.joined.insert(id, room);
                }
                if (joined.id.is_some() || joined.gap) && self.wanted.contains(&room) {
                    self.hearing.enter(&shared.truth, room, self.number);
                }
            }
            RoomEvent::Left { id, room, reason } => {
                let Some(room) = shared.truth.number_of(room.as_str()) else {
                    return;
                };
                if id.and_then(|id| self.pending.remove(&id)).is_some() {
                    shared.oracle.recorder.count(Counter::Leaves);
                    self.changing.remove(&room);
                } else {
                    shared.oracle.recorder.error(&format!("left a room: {reason:?}"));
                    self.forget_room(room);
                }
            }
            RoomEvent::PeerJoined(_) | RoomEvent::PeerLeft { .. } | RoomEvent::Count { .. } => {}
        }
    }

    fn on_outcome(&mut self, id: u64, outcome: Outcome) {
        let Some(Pending::Say {
            source,
            number,
            at,
            late,
        }) = self.pending.remove(&id)
        else {
            return;
        };
        let recorder = &self.shared.oracle.recorder;
        match outcome {
            Outcome::Delivered => {
                recorder.count(Counter::Delivered);
                recorder.time(Metric::Outcome, at.elapsed(), late);
            }
            Outcome::Failed(reason) => {
                recorder.count(Counter::SendErrors);
                recorder.error(&format!("send: {reason}"));
                fail(&self.shared.truth, source, number);
            }
        }
    }

    /// A join or leave failed. A join of a lost session that the next session could not repeat comes here, too.
    fn on_refused(&mut self, id: u64, reason: &str) {
        let recorder = Arc::clone(&self.shared.oracle.recorder);
        recorder.error(&format!("room: {reason}"));
        match self.pending.remove(&id) {
            Some(Pending::Join { room, .. }) => {
                recorder.count(Counter::JoinsFailed);
                self.changing.remove(&room);
                self.forget_room(room);
            }
            Some(Pending::Leave { room }) => {
                self.changing.remove(&room);
                // It is still a member, unless it never was one.
                if reason != "not-in-room" {
                    let truth = self.shared.truth.room(room);
                    truth.members.lock().insert(self.peer.name.clone());
                    self.wanted.insert(room);
                }
            }
            Some(Pending::Say { .. }) => {}
            None => {
                recorder.count(Counter::JoinsFailed);
                if let Some(room) = self.joined.remove(&id) {
                    self.forget_room(room);
                    self.rosters.remove(&self.shared.truth.room(room).name);
                }
            }
        }
    }

    fn forget_room(&mut self, room: usize) {
        self.shared
            .truth
            .room(room)
            .members
            .lock()
            .remove(&self.peer.name);
        self.wanted.remove(&room);
        self.joined.retain(|_, joined| *joined != room);
        self.hearing.leave(room);
    }

    /// Whether nothing is open, every roster equals the truth, and every message has arrived.
    fn is_right(&self) -> bool {
        self.pending.is_empty()
            && (0..self.shared.truth.count()).all(|room| self.is_roster_right(room))
            && self.hearing.is_complete(&self.shared.truth)
    }

    fn check(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (truth, oracle) = (&shared.truth, &shared.oracle);
        for room in 0..truth.count() {
            if self.wanted.contains(&room) {
                oracle.recorder.count(Counter::RostersChecked);
            }
            if let Some(mistake) = self.mistake(room) {
                oracle.violation(Counter::RostersWrong, || {
                    format!("{}, {}: {mistake}", self.peer.name, truth.room(room).name)
                });
            }
        }
        for pending in self.pending.values() {
            oracle.violation(Counter::NoOutcome, || format!("{}: {pending:?}", self.peer.name));
        }
        self.hearing.check(truth, oracle, &self.peer.name);
        self.shared.checked.add_permits(1);
    }

    /// Whether this peer's roster of a room equals the truth. Each event asks this, so it describes nothing.
    fn is_roster_right(&self, room: usize) -> bool {
        let truth = self.shared.truth.room(room);
        match (self.wanted.contains(&room), self.rosters.get(&truth.name)) {
            (false, None) => true,
            (false, Some(_)) | (true, None) => false,
            (true, Some(roster)) => is_equal(roster, &truth.members.lock()),
        }
    }

    /// The difference between what this peer knows of a room and the truth, if there is one.
    fn mistake(&self, room: usize) -> Option<String> {
        if self.is_roster_right(room) {
            return None;
        }
        let truth = self.shared.truth.room(room);
        Some(match self.rosters.get(&truth.name) {
            Some(_) if !self.wanted.contains(&room) => "it is no member and has a roster".into(),
            None => "it is a member and has no roster".into(),
            Some(roster) => difference(roster, &truth.members.lock()),
        })
    }
}

fn is_equal(roster: &Roster, truth: &BTreeSet<String>) -> bool {
    let Some(members) = roster.members() else {
        return roster.count() == truth.len() as u64;
    };
    members.len() == truth.len()
        && members
            .keys()
            .map(PeerId::as_str)
            .eq(truth.iter().map(String::as_str))
}

fn difference(roster: &Roster, truth: &BTreeSet<String>) -> String {
    let Some(members) = roster.members() else {
        let (count, has) = (roster.count(), truth.len());
        return format!("the room counts {count} members and has {has}");
    };
    let lacks: Vec<_> = truth
        .iter()
        .filter(|name| !members.contains_key(name.as_str()))
        .collect();
    let ghosts: Vec<_> = members
        .keys()
        .filter(|peer| !truth.contains(peer.as_str()))
        .collect();
    format!(
        "version {} lacks {} of {} ({:?}) and has {} too many ({:?})",
        roster.version(),
        lacks.len(),
        truth.len(),
        &lacks[..lacks.len().min(MAX_NAMES)],
        ghosts.len(),
        &ghosts[..ghosts.len().min(MAX_NAMES)],
    )
}

/// Nobody may expect this message.
fn fail(truth: &Truth, source: Source, number: u64) {
    if let Some(spoken) = truth.room(source.room).spoken.get(source.speaker) {
        spoken.lock().failed.insert(number);
    }
}
