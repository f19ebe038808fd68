//! Rooms over a server in memory: what goes well is right, and each thing that a server can do wrong is named.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use serde_json::value::RawValue;
use switchboard_client::RoomEvent;
use switchboard_protocol::{
    Joined, LeaveReason, Member as RoomMember, MemberState, MessageKind, PeerId, PeerJoined, RoomId,
};

use super::*;
use crate::{
    drivers::{Broken, Greeting, Link, LinkEvent, Outcome, Promises, Who},
    record::{Counts, WorkerUsage},
    scenario::{Arrivals, Span},
    work::share::Share,
};

/// What the server does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    ForgetToAnnounce,
    KeepAGhost,
    RefuseAJoin,
    LoseAMessage,
    LoseAndReport,
    DoubleAMessage,
    SwapTwoMessages,
    SendToAnotherRoom,
    GiveNoOutcome,
}

/// The server.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    wrong: Option<Wrong>,
    version: u64,
    rooms: BTreeMap<String, BTreeSet<String>>,
    receivers: BTreeMap<String, mpsc::Sender<LinkEvent>>,
    held: Option<(String, LinkEvent)>,
    messages: u64,
}

impl State {
    fn tell(&self, peer: &str, event: LinkEvent) {
        self.receivers[peer].try_send(event).unwrap();
    }

    /// Whether it is time for this wrong; it happens once. Those of messages wait until all peers are in their rooms:
    /// before, a missing message is no loss.
    fn does(&mut self, wrong: Wrong) -> bool {
        let is_early = self.messages < 50 && !matches!(wrong, Wrong::ForgetToAnnounce | Wrong::RefuseAJoin);
        let does = self.wrong == Some(wrong) && !is_early;
        if does {
            self.wrong = None;
        }
        does
    }

    fn join(&mut self, peer: &str, room: &str, id: u64) {
        if self.does(Wrong::RefuseAJoin) {
            let reason = "room-full".into();
            return self.tell(peer, LinkEvent::Refused { id, reason });
        }
        self.version += 1;
        let version = self.version;
        let members = self.rooms.entry(room.into()).or_default();
        members.insert(peer.into());
        let members = members.clone();
        let member = |name: &String| RoomMember {
            peer: PeerId::new(name).unwrap(),
            info: None,
            state: MemberState::Online,
        };
        let joined = Joined {
            id: Some(id),
            room: RoomId::new(room).unwrap(),
            version,
            count: members.len() as u64,
            members: Some(members.iter().map(member).collect()),
            gap: false,
        };
        self.tell(peer, LinkEvent::Room(RoomEvent::Joined(Box::new(joined))));
        for other in members.iter().filter(|other| *other != peer) {
            if self.does(Wrong::ForgetToAnnounce) {
                continue;
            }
            let joined = PeerJoined {
                room: RoomId::new(room).unwrap(),
                version,
                peer: PeerId::new(peer).unwrap(),
                info: None,
            };
            self.tell(other, LinkEvent::Room(RoomEvent::PeerJoined(joined)));
        }
    }

    fn leave(&mut self, peer: &str, name: &str, id: u64) {
        self.version += 1;
        let members = self.rooms.entry(name.into()).or_default();
        members.remove(peer);
        let (members, room) = (members.clone(), RoomId::new(name).unwrap());
        let left = RoomEvent::Left {
            id: Some(id),
            room: room.clone(),
            reason: None,
        };
        self.tell(peer, LinkEvent::Room(left));
        for other in &members {
            if self.wrong == Some(Wrong::KeepAGhost) {
                continue;
            }
            let left = RoomEvent::PeerLeft {
                room: room.clone(),
                version: self.version,
                peer: PeerId::new(peer).unwrap(),
                reason: LeaveReason::Left,
            };
            self.tell(other, LinkEvent::Room(left));
        }
    }

    fn publish(&mut self, from: &str, name: &str, id: u64, payload: &RawValue) {
        self.messages += 1;
        let message = |room: &str| LinkEvent::RoomMessage {
            room: room.into(),
            from: from.into(),
            payload: payload.to_owned(),
        };
        let others: Vec<String> = self.rooms[name]
            .iter()
            .filter(|peer| *peer != from)
            .cloned()
            .collect();
        let fails = !others.is_empty() && self.does(Wrong::LoseAndReport);
        for other in others.iter().filter(|_| !fails) {
            if self.does(Wrong::LoseAMessage) {
                continue;
            }
            if self.does(Wrong::SendToAnotherRoom) {
                self.tell(other, message("elsewhere"));
            }
            if self.does(Wrong::SwapTwoMessages) {
                self.held = Some((other.clone(), message(name)));
                continue;
            }
            self.tell(other, message(name));
            if self.does(Wrong::DoubleAMessage) {
                self.tell(other, message(name));
            }
            if self.held.as_ref().is_some_and(|(held, _)| held == other)
                && let Some((other, held)) = self.held.take()
            {
                self.tell(&other, held);
            }
        }
        let outcome = match fails {
            true => Outcome::Failed("bus-unavailable".into()),
            false => Outcome::Delivered,
        };
        if !self.does(Wrong::GiveNoOutcome) {
            self.tell(from, LinkEvent::Outcome { id, outcome });
        }
    }
}

impl Driver for Fake {
    type Link = FakeLink;

    fn promises(&self) -> Promises {
        Promises::RELAYS
    }

    fn nodes(&self) -> usize {
        1
    }

    async fn connect(&self, who: &Who) -> Result<(FakeLink, Greeting), Refusal> {
        let (sender, events) = mpsc::channel(4096);
        self.0.lock().unwrap().receivers.insert(who.peer.clone(), sender);
        let link = FakeLink {
            name: who.peer.clone(),
            fake: self.clone(),
            events,
            id: 0,
        };
        let greeting = Greeting {
            address: who.peer.clone(),
            node: Some("n1".into()),
            connect: Duration::ZERO,
            authenticate: Duration::ZERO,
        };
        Ok((link, greeting))
    }
}

struct FakeLink {
    name: String,
    fake: Fake,
    events: mpsc::Receiver<LinkEvent>,
    id: u64,
}

impl Link for FakeLink {
    async fn send(&mut self, _: MessageKind, _: &str, _: &RawValue) -> Result<u64, Broken> {
        Err(Broken)
    }

    async fn next(&mut self) -> LinkEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    async fn close(self) {}
}

impl RoomLink for FakeLink {
    async fn join(&mut self, room: &str) -> Result<u64, Broken> {
        self.id += 1;
        self.fake.0.lock().unwrap().join(&self.name, room, self.id);
        Ok(self.id)
    }

    async fn leave(&mut self, room: &str) -> Result<u64, Broken> {
        self.id += 1;
        self.fake.0.lock().unwrap().leave(&self.name, room, self.id);
        Ok(self.id)
    }

    async fn send_to_room(&mut self, _: MessageKind, room: &str, payload: &RawValue) -> Result<u64, Broken> {
        self.id += 1;
        self.fake
            .0
            .lock()
            .unwrap()
            .publish(&self.name, room, self.id, payload);
        Ok(self.id)
    }
}

/// The counts and descriptions of a run over a server that does this wrong.
async fn run(rooms: Rooms, wrong: Option<Wrong>) -> (Counts, Vec<String>) {
    let recorder = Arc::new(Recorder::default());
    let oracle = Arc::new(Oracle::new(Arc::clone(&recorder)));
    let names = Names {
        tag: "t".into(),
        share: Share { number: 0, of: 1 },
        spread: false,
        rotates: true,
    };
    let fake = Fake::default();
    fake.0.lock().unwrap().wrong = wrong;
    let connected = ConnectedRooms::connect(fake, Arc::clone(&oracle), names, rooms).await;
    let peers = connected.ok().unwrap().run(Instant::now(), 1).await;
    peers.leave().await;
    let counts = recorder.tick(0, WorkerUsage::default()).unwrap().counts;
    (counts, oracle.violations())
}

fn stage(rate: f64, lasts: Span) -> Vec<Stage> {
    vec![Stage {
        rate,
        to: None,
        lasts,
    }]
}

fn churn() -> Rooms {
    Rooms {
        peers: 12,
        rooms: 3,
        changes: Changes::Churn,
        stages: stage(200.0, Span::from_secs(1)),
        arrivals: Arrivals::Uniform,
        speakers: 4,
        messages: stage(200.0, Span::from_secs(1)),
        payload_bytes: 200,
        complete_within: Span::from_millis(300),
    }
}

fn violations(counts: &Counts) -> Vec<Counter> {
    let silent = Counter::VIOLATIONS.iter().copied();
    silent.filter(|counter| counts.contains_key(counter)).collect()
}

#[tokio::test]
async fn all_peers_join_and_every_roster_is_right() {
    let rooms = Rooms {
        peers: 50,
        rooms: 2,
        stages: stage(500.0, Span::from_secs(1)),
        ..Rooms::default()
    };
    let (counts, descriptions) = run(rooms, None).await;
    assert_eq!((violations(&counts), descriptions), (vec![], vec![]));
    assert_eq!(
        (counts[&Counter::Joins], counts[&Counter::RostersChecked]),
        (50, 50)
    );
}

#[tokio::test]
async fn peers_that_come_and_go_have_right_rosters_and_all_messages() {
    let (counts, descriptions) = run(churn(), None).await;
    assert_eq!((violations(&counts), descriptions), (vec![], vec![]));
    assert!(counts[&Counter::Leaves] > 0 && counts[&Counter::Joins] > counts[&Counter::Leaves]);
    assert!(counts[&Counter::Delivered] > 50 && counts[&Counter::Arrived] > counts[&Counter::Delivered]);
}

#[tokio::test]
async fn each_wrong_is_named_and_nothing_else() {
    let cases = [
        (Wrong::ForgetToAnnounce, vec![Counter::RostersWrong]),
        (Wrong::KeepAGhost, vec![Counter::RostersWrong]),
        (Wrong::RefuseAJoin, vec![]),
        (Wrong::LoseAMessage, vec![Counter::Lost]),
        (Wrong::LoseAndReport, vec![]),
        (Wrong::DoubleAMessage, vec![Counter::Duplicated]),
        (Wrong::SwapTwoMessages, vec![Counter::Reordered]),
        (Wrong::SendToAnotherRoom, vec![Counter::Misdelivered]),
        (Wrong::GiveNoOutcome, vec![Counter::NoOutcome]),
    ];
    // Nobody leaves, so that no wrong is undone.
    let rooms = Rooms {
        changes: Changes::Join,
        stages: stage(200.0, Span::from_millis(100)),
        speakers: 1,
        messages: stage(200.0, Span::from_millis(400)),
        ..churn()
    };
    for (wrong, expected) in cases {
        let rooms = if wrong == Wrong::KeepAGhost {
            churn()
        } else {
            rooms.clone()
        };
        let (counts, descriptions) = run(rooms, Some(wrong)).await;
        assert_eq!(violations(&counts), expected, "{wrong:?}: {descriptions:?}");
        assert_eq!(descriptions.is_empty(), expected.is_empty(), "{wrong:?}");
        let refused = u64::from(wrong == Wrong::RefuseAJoin);
        assert_eq!(
            counts.get(&Counter::JoinsFailed).copied().unwrap_or_default(),
            refused
        );
    }
}
