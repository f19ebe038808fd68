//! Rooms, presence and hold as an application with a session sees them: nothing of it is asked for again by hand, whatever
//! happens to nodes and sessions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one event among others"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_client::{RoomEvent, Rosters, Session, SessionEvent, SessionOptions};
use switchboard_protocol::{MessageKind, PeerId, PresenceState, SendOutcome};
use switchboard_testkit::{Cluster, PATIENCE, payload, token};
use tokio::{sync::mpsc, time::timeout};

/// A peer with a session, its rosters, and all events of rooms so far.
struct Peer {
    session: Session,
    events: mpsc::Receiver<SessionEvent>,
    rosters: Rosters,
    room_events: Vec<RoomEvent>,
}

impl Peer {
    /// A peer whose first node is that one.
    async fn start(cluster: &Cluster, name: &'static str, node: usize) -> Self {
        let mint = Arc::new(move || token(name).unwrap());
        let (session, events) = Session::start(SessionOptions::new(cluster.urls_from(node)), mint);
        let mut peer = Self {
            session,
            events,
            rosters: Rosters::default(),
            room_events: Vec::new(),
        };
        peer.until("connected", |event| {
            matches!(event, SessionEvent::Connected { .. }).then_some(())
        })
        .await;
        peer
    }

    /// The first event that `wanted` takes. Those before it are noted.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&SessionEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = timeout(left, self.events.recv()).await;
            let Ok(Some(event)) = event else {
                panic!("not {what}: {event:?}")
            };
            if let SessionEvent::Room(event) = &event {
                self.rosters.apply(event);
                self.room_events.push(event.clone());
            }
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    }

    /// Waits until the roster of `room` has these members.
    async fn sees(&mut self, room: &str, members: &[&str]) {
        while self.members(room) != members {
            self.until("an event of a room", |event| {
                matches!(event, SessionEvent::Room(_)).then_some(())
            })
            .await;
        }
    }

    fn members(&self, room: &str) -> Vec<&str> {
        let members = self.rosters.get(room).and_then(|roster| roster.members());
        let names = members.into_iter().flat_map(|members| members.keys());
        names.map(PeerId::as_str).collect()
    }

    async fn join(&mut self, room: &str) {
        let id = self.session.join(room, None).await.unwrap();
        let joined = |event: &SessionEvent| match event {
            SessionEvent::Room(RoomEvent::Joined(joined)) if joined.id == Some(id) => Some(()),
            _ => None,
        };
        self.until("joined", joined).await;
    }

    async fn outcome(&mut self, id: u64) -> SendOutcome {
        self.until("an outcome", |event| match event {
            SessionEvent::Outcome { id: of, report } if *of == id => Some(report.outcome),
            _ => None,
        })
        .await
    }

    async fn message(&mut self) -> (Option<String>, String) {
        self.until("a message", |event| match event {
            SessionEvent::Message(message) => Some((message.room.clone(), message.payload.get().to_owned())),
            _ => None,
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_node_dies_stays_in_its_room_and_the_others_hear_nothing_of_it() {
    let cluster = Cluster::start(3).await.unwrap();
    let mut alice = Peer::start(&cluster, "alice", 0).await;
    let mut bob = Peer::start(&cluster, "bob", 1).await;
    alice.join("lobby").await;
    bob.join("lobby").await;
    alice.sees("lobby", &["alice", "bob"]).await;

    cluster.nodes[0].kill().await.unwrap();
    let resumed = |event: &SessionEvent| match event {
        SessionEvent::Connected { resumed, .. } => Some(*resumed),
        _ => None,
    };
    assert!(alice.until("connected again", resumed).await);
    let rejoined = |event: &SessionEvent| match event {
        SessionEvent::Room(RoomEvent::Joined(joined)) => Some(joined.gap),
        _ => None,
    };
    alice.until("the roster after the resume", rejoined).await;
    let mut carol = Peer::start(&cluster, "carol", 2).await;
    carol.join("lobby").await;
    for peer in [&mut alice, &mut bob, &mut carol] {
        peer.sees("lobby", &["alice", "bob", "carol"]).await;
    }
    let about_alice = |event: &&RoomEvent| match event {
        RoomEvent::PeerJoined(joined) => joined.peer.as_str() == "alice",
        RoomEvent::PeerLeft { peer, .. } => peer.as_str() == "alice",
        RoomEvent::Joined(_) | RoomEvent::Left { .. } | RoomEvent::Count { .. } => false,
    };
    assert_eq!(bob.room_events.iter().find(about_alice), None);

    let sent = alice
        .session
        .send_to_room(MessageKind::Message, "lobby", payload("1").unwrap());
    let id = sent.await.unwrap();
    assert_eq!(alice.outcome(id).await, SendOutcome::Published);
    for peer in [&mut bob, &mut carol] {
        assert_eq!(peer.message().await, (Some("lobby".into()), "1".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_lost_joins_and_watches_again_by_itself() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut bob = Peer::start(&cluster, "bob", 1).await;
    bob.join("lobby").await;
    let mut alice = Peer::start(&cluster, "alice", 0).await;
    alice.join("lobby").await;
    let id = alice.session.watch(vec!["bob".into()]).await.unwrap();
    let presence = |event: &SessionEvent| match event {
        SessionEvent::Presence { peers, .. } => Some(peers[0].state),
        _ => None,
    };
    assert_eq!(alice.until("bob's state", presence).await, PresenceState::Online);

    // Nothing is left of any session.
    for node in &cluster.nodes {
        node.kill().await.unwrap();
    }
    cluster.redis.restart().await.unwrap();
    for node in &cluster.nodes {
        node.start().await.unwrap();
    }
    let fresh = |event: &SessionEvent| match event {
        SessionEvent::Connected { resumed, .. } => Some(*resumed),
        _ => None,
    };
    assert!(!alice.until("connected again", fresh).await);
    for peer in [&mut alice, &mut bob] {
        peer.sees("lobby", &["alice", "bob"]).await;
    }
    let again = |event: &SessionEvent| match event {
        SessionEvent::Presence { id: of, peers } => Some((*of, peers[0].state)),
        _ => None,
    };
    let mut found = alice.until("bob's state again", again).await;
    assert_eq!(found.0, Some(id), "asked again with the same id");
    while found.1 != PresenceState::Online {
        found = alice.until("bob is online", again).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_may_wait_is_queued_and_delivered_when_its_receiver_comes() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = Peer::start(&cluster, "alice", 0).await;
    let hold = Duration::from_secs(30);
    let sent = alice
        .session
        .send_held(MessageKind::Offer, "bob", payload("1").unwrap(), hold);
    let id = sent.await.unwrap();
    let queued = |event: &SessionEvent| match event {
        SessionEvent::Queued { id: of } => Some(*of),
        _ => None,
    };
    assert_eq!(alice.until("queued", queued).await, id);
    let mut bob = Peer::start(&cluster, "bob", 1).await;
    assert_eq!(bob.message().await, (None, "1".into()));
    assert_eq!(alice.outcome(id).await, SendOutcome::Delivered);
}
