//! A client in rooms: its session, and a task that keeps its rosters and notes what it hears.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use switchboard_client::{Backoff, RoomEvent, Rosters, Session, SessionEvent, SessionOptions};
use switchboard_protocol::{MessageKind, SendOutcome};
use switchboard_testkit::{Cluster, PATIENCE, payload, token, wait_until};
use tokio::{
    sync::mpsc::Receiver,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// How long an attempt to connect may take. Short, because a killed node may leave its port to nobody.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// What a member has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) rosters: Rosters,
    /// The node of the connection; `None` without one.
    pub(crate) node: Option<String>,
    /// Messages to rooms, with the time of their arrival.
    pub(crate) messages: Vec<(u64, Instant)>,
    /// All events of rooms but the members in them.
    pub(crate) received: Vec<Received>,
    /// Answers to requests, until they are taken.
    answers: HashMap<u64, bool>,
}

/// One event of a room, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Received {
    /// `joined`, with its `gap`.
    Joined { gap: bool },
    /// `left`.
    Left,
    /// `peer-joined`.
    PeerJoined(String),
    /// `peer-left`, with its reason.
    PeerLeft(String, &'static str),
    /// `room-count`.
    Count,
}

impl Received {
    fn of(event: &RoomEvent) -> Self {
        match event {
            RoomEvent::Joined(joined) => Self::Joined { gap: joined.gap },
            RoomEvent::Left { .. } => Self::Left,
            RoomEvent::PeerJoined(joined) => Self::PeerJoined(joined.peer.as_str().to_owned()),
            RoomEvent::PeerLeft { peer, reason, .. } => {
                Self::PeerLeft(peer.as_str().to_owned(), reason.as_str())
            }
            RoomEvent::Count { .. } => Self::Count,
        }
    }
}

/// A client in rooms. Dropping it drops its connection without a close handshake.
pub(crate) struct Member {
    pub(crate) name: String,
    session: Session,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
}

impl Member {
    /// Starts connecting, to the node at `first` first.
    pub(crate) fn start(cluster: &Cluster, first: usize, name: &str) -> Self {
        let mut options = SessionOptions::new(cluster.urls_from(first));
        options.connect.timeout = CONNECT_WITHIN;
        options.backoff = BACKOFF;
        let owned = name.to_owned();
        let (session, events) = Session::start(options, Arc::new(move || token(&owned).unwrap()));
        let seen = Arc::default();
        let reader = tokio::spawn(read(events, Arc::clone(&seen)));
        Self {
            name: name.to_owned(),
            session,
            seen,
            reader,
        }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Joins `room`, and again as long as it fails: while Redis or a node is away, it may.
    pub(crate) async fn join(&self, room: &str) {
        self.until_done(async || self.session.join(room, None).await.unwrap())
            .await;
    }

    /// Leaves `room`, and again as long as it fails.
    pub(crate) async fn leave(&self, room: &str) {
        self.until_done(async || self.session.leave(room).await.unwrap())
            .await;
    }

    async fn until_done(&self, request: impl AsyncFn() -> u64) {
        let all = async {
            loop {
                let id = request().await;
                let answer = async || self.seen().answers.remove(&id);
                if wait_until("an answer", PATIENCE, answer).await.unwrap().0 {
                    return;
                }
            }
        };
        timeout(PATIENCE, all).await.unwrap();
    }

    /// Sends `number` to `room`, with `padding` bytes more; whether the bus has taken it.
    pub(crate) async fn send(&self, room: &str, number: u64, padding: usize) -> bool {
        let text = format!("[{number},\"{}\"]", "x".repeat(padding));
        let id = self
            .session
            .send_to_room(MessageKind::Message, room, payload(text).unwrap());
        let id = id.await.unwrap();
        let answer = async || self.seen().answers.remove(&id);
        wait_until("an outcome", PATIENCE, answer).await.unwrap().0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Starts `count` members, spread over all nodes, and waits until all are connected.
pub(crate) async fn start_all(cluster: &Cluster, count: usize) -> Vec<Member> {
    let members: Vec<_> = (0..count)
        .map(|index| Member::start(cluster, index, &format!("p{index}")))
        .collect();
    let connected = async || members.iter().all(|one| one.seen().node.is_some()).then_some(());
    wait_until("all are connected", PATIENCE, connected)
        .await
        .unwrap();
    members
}

async fn read(mut events: Receiver<SessionEvent>, seen: Arc<Mutex<Seen>>) {
    while let Some(event) = events.recv().await {
        note(&mut seen.lock().unwrap(), event);
    }
}

fn note(seen: &mut Seen, event: SessionEvent) {
    match event {
        SessionEvent::Connected { node, .. } => seen.node = Some(node.as_str().to_owned()),
        SessionEvent::Disconnected { .. } => seen.node = None,
        SessionEvent::Message(message) => {
            let (number, _): (u64, String) = serde_json::from_str(message.payload.get()).unwrap();
            seen.messages.push((number, Instant::now()));
        }
        SessionEvent::Outcome { id, report } => {
            seen.answers.insert(id, report.outcome == SendOutcome::Published);
        }
        SessionEvent::Room(event) => {
            let id = match &event {
                RoomEvent::Joined(joined) => joined.id,
                RoomEvent::Left { id, .. } => *id,
                RoomEvent::PeerJoined(_) | RoomEvent::PeerLeft { .. } | RoomEvent::Count { .. } => None,
            };
            if let Some(id) = id {
                seen.answers.insert(id, true);
            }
            seen.received.push(Received::of(&event));
            seen.rosters.apply(&event);
        }
        SessionEvent::Failed { id, .. } => {
            seen.answers.insert(id, false);
        }
        SessionEvent::Ended { code, reason } => assert_eq!(code, 1000, "{reason}"),
        SessionEvent::Queued { .. } | SessionEvent::Presence { .. } => {}
    }
}
