//! A session under test, and nodes that the test itself plays. Not here: the tests (`session`, `moves`).

use std::{sync::Arc, time::Duration};

use serde_json::{Value, value::RawValue};
use switchboard_client::{Backoff, RoomEvent, Session, SessionEvent, SessionOptions, TokenSource};
use switchboard_protocol::{MessageKind, Secret, SendOutcome};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use crate::server::{Peer, SOON, listen};

/// The output of `future`, in bounded time.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("in bounded time")
}

/// Nodes that accept connections when the test says so, and options that name them in their order.
pub(crate) async fn nodes<const N: usize>() -> ([TcpListener; N], SessionOptions) {
    let (mut listeners, mut urls) = (Vec::new(), Vec::new());
    for _ in 0..N {
        let (listener, connect) = listen().await;
        listeners.push(listener);
        urls.push(connect.url);
    }
    let mut options = SessionOptions::new(urls);
    options.backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(50));
    (listeners.try_into().unwrap(), options)
}

pub(crate) fn token() -> TokenSource {
    Arc::new(|| Secret::new("aa.bb.cc"))
}

/// A session and its events.
pub(crate) struct Stage {
    pub(crate) session: Session,
    pub(crate) events: mpsc::Receiver<SessionEvent>,
}

impl Stage {
    pub(crate) fn start(options: SessionOptions) -> Self {
        let (session, events) = Session::start(options, token());
        Self { session, events }
    }

    /// Connected to node `n1`, with the resume token `t1`.
    pub(crate) async fn connected(options: SessionOptions, listener: &TcpListener) -> (Self, Peer) {
        let mut stage = Self::start(options);
        let mut peer = soon(Peer::accept(listener)).await;
        assert_eq!(peer.uri.query(), Some("acks=client"));
        peer.welcome("n1", false, "t1").await;
        assert_eq!(stage.event().await, "connected n1 resumed:false");
        (stage, peer)
    }

    /// Sends to bob; the send's id.
    pub(crate) async fn send(&self) -> u64 {
        soon(self.session.send(MessageKind::Message, "bob", payload()))
            .await
            .unwrap()
    }

    /// The next event, shortened.
    pub(crate) async fn event(&mut self) -> String {
        match soon(self.events.recv()).await {
            Some(event) => shortened(&event),
            None => "nothing more".into(),
        }
    }
}

pub(crate) fn payload() -> Box<RawValue> {
    RawValue::from_string(r#"{ "sdp" : 1e2 }"#.into()).unwrap()
}

fn shortened(event: &SessionEvent) -> String {
    match event {
        SessionEvent::Connected { node, resumed, .. } => format!("connected {node} resumed:{resumed}"),
        SessionEvent::Disconnected { .. } => "disconnected".into(),
        SessionEvent::Message(message) => format!("message {}", message.mid),
        SessionEvent::Queued { id } => format!("queued {id}"),
        SessionEvent::Outcome { id, report } => match report.outcome {
            SendOutcome::Delivered => format!("delivered {id}"),
            SendOutcome::Published => format!("published {id}"),
            SendOutcome::Error(code) => format!("failed {id} {code}"),
        },
        SessionEvent::Room(event) => room(event),
        SessionEvent::Presence { id, peers } => {
            let peers: Vec<_> = peers
                .iter()
                .map(|peer| format!("{}:{:?}", peer.peer, peer.state))
                .collect();
            format!("presence {id:?} {}", peers.join(" "))
        }
        SessionEvent::Failed { id, code, .. } => format!("failed {id} {code}"),
        SessionEvent::Ended { code, .. } => format!("ended {code}"),
    }
}

fn room(event: &RoomEvent) -> String {
    match event {
        RoomEvent::Joined(joined) => format!("joined {} {:?}", joined.room, joined.id),
        RoomEvent::Left { id, room, reason } => format!("left {room} {id:?} {reason:?}"),
        RoomEvent::PeerJoined(joined) => format!("peer-joined {} {}", joined.room, joined.peer),
        RoomEvent::PeerLeft {
            room, peer, reason, ..
        } => format!("peer-left {room} {peer} {reason:?}"),
        RoomEvent::Count { room, count } => format!("count {room} {count}"),
    }
}

/// The client's next frame: `send 1` or `ack 1`.
pub(crate) async fn frame(peer: &mut Peer) -> String {
    let json = soon(peer.json()).await;
    match json["type"].as_str() {
        Some("ack") => format!("ack {}", json["seq"]),
        _ => {
            let sent: Value = serde_json::from_str(payload().get()).unwrap();
            assert_eq!((&json["to"], &json["payload"]), (&"bob".into(), &sent));
            format!("send {}", json["id"])
        }
    }
}
