//! Events as an app's backend gets them: a type, a time and data, as JSON.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use switchboard_core::NodeEvent;
use switchboard_protocol::{PeerId, PeerKey, RoomKey};

/// How often an event of this kind may come for one peer.
const WANTED_EVERY: Duration = Duration::from_secs(1);

/// The kinds of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A peer is connected: a new session, or one that continues.
    PeerConnected,
    /// A peer lost its connection; its session can be resumed.
    PeerDetached,
    /// The session of a peer ended.
    PeerDisconnected,
    /// A message waits for a peer that is not connected.
    PeerWanted,
    /// A room came into being.
    RoomCreated,
    /// A peer became a member of a room.
    RoomJoined,
    /// A member left a room, or was removed.
    RoomLeft,
    /// The last member left a room.
    RoomEnded,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::PeerConnected,
        Self::PeerDetached,
        Self::PeerDisconnected,
        Self::PeerWanted,
        Self::RoomCreated,
        Self::RoomJoined,
        Self::RoomLeft,
        Self::RoomEnded,
    ];

    /// Its name in events and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PeerConnected => "peer.connected",
            Self::PeerDetached => "peer.detached",
            Self::PeerDisconnected => "peer.disconnected",
            Self::PeerWanted => "peer.wanted",
            Self::RoomCreated => "room.created",
            Self::RoomJoined => "room.joined",
            Self::RoomLeft => "room.left",
            Self::RoomEnded => "room.ended",
        }
    }

    /// The kind of this name, if there is one.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind of `event`.
    pub(crate) const fn of(event: &NodeEvent<'_>) -> Self {
        match event {
            NodeEvent::Attached { .. } => Self::PeerConnected,
            NodeEvent::Detached { .. } => Self::PeerDetached,
            NodeEvent::Ended { .. } => Self::PeerDisconnected,
            NodeEvent::Wanted { .. } => Self::PeerWanted,
            NodeEvent::RoomCreated { .. } => Self::RoomCreated,
            NodeEvent::RoomJoined { .. } => Self::RoomJoined,
            NodeEvent::RoomLeft { .. } => Self::RoomLeft,
            NodeEvent::RoomEnded { .. } => Self::RoomEnded,
        }
    }

    /// The shortest time between two events of this kind for one key.
    pub(crate) const fn at_most_every(self) -> Option<Duration> {
        match self {
            Self::PeerWanted => Some(WANTED_EVERY),
            Self::PeerConnected
            | Self::PeerDetached
            | Self::PeerDisconnected
            | Self::RoomCreated
            | Self::RoomJoined
            | Self::RoomLeft
            | Self::RoomEnded => None,
        }
    }
}

#[derive(Serialize)]
struct Body {
    r#type: &'static str,
    timestamp: String,
    data: Data,
}

#[derive(Default, Serialize)]
struct Data {
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The peer that `event` is about, or the room where it names no peer: `tenant/name`. Events of one key stay in order.
pub(crate) fn key(event: &NodeEvent<'_>) -> String {
    match event {
        NodeEvent::Attached { peer, .. }
        | NodeEvent::Detached { peer, .. }
        | NodeEvent::Ended { peer, .. }
        | NodeEvent::Wanted { peer, .. } => peer.as_str().to_owned(),
        // A key for each member: joins of a large room go out side by side.
        NodeEvent::RoomJoined { room, peer } | NodeEvent::RoomLeft { room, peer, .. } => {
            PeerKey::new(room.tenant(), peer).as_str().to_owned()
        }
        NodeEvent::RoomCreated { room } | NodeEvent::RoomEnded { room } => room.as_str().to_owned(),
    }
}

/// The JSON of `event`, which happened at `at_ms` on `node`.
pub(crate) fn body(event: &NodeEvent<'_>, at_ms: u64, node: &str) -> String {
    let about = |peer: &PeerKey| Data {
        tenant: peer.tenant().to_owned(),
        peer: Some(peer.peer().to_owned()),
        ..Data::default()
    };
    let of_room = |room: &RoomKey, peer: Option<&PeerId>| Data {
        tenant: room.tenant().to_owned(),
        room: Some(room.room().to_owned()),
        peer: peer.map(|peer| peer.as_str().to_owned()),
        ..Data::default()
    };
    let data = match event {
        NodeEvent::Attached {
            peer,
            session,
            fence,
            resumed,
        } => Data {
            session: Some(session.to_string()),
            fence: Some(*fence),
            node: Some(node.to_owned()),
            resumed: Some(*resumed),
            ..about(peer)
        },
        NodeEvent::Detached { peer, session, fence } => Data {
            session: Some(session.to_string()),
            fence: Some(*fence),
            ..about(peer)
        },
        NodeEvent::Ended { peer, session } => Data {
            session: Some(session.to_string()),
            ..about(peer)
        },
        NodeEvent::Wanted { peer, by } => Data {
            by: Some(by.peer().to_owned()),
            ..about(peer)
        },
        NodeEvent::RoomCreated { room } | NodeEvent::RoomEnded { room } => of_room(room, None),
        NodeEvent::RoomJoined { room, peer } => of_room(room, Some(peer)),
        NodeEvent::RoomLeft { room, peer, reason } => Data {
            reason: Some(reason.as_str()),
            ..of_room(room, Some(peer))
        },
    };
    let body = Body {
        r#type: EventKind::of(event).as_str(),
        timestamp: humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms)).to_string(),
        data,
    };
    // Text and numbers always become JSON.
    serde_json::to_string(&body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchboard_protocol::{LeaveReason, RoomId, SessionId};

    const AT_MS: u64 = 1_700_000_000_123;

    #[test]
    fn each_event_has_its_type_its_time_and_its_data() {
        let (bob, eve) = (
            PeerKey::parse("acme/bob").unwrap(),
            PeerKey::parse("acme/eve").unwrap(),
        );
        let session = SessionId::from_bytes([7; SessionId::BYTES]);
        let text = |event| body(&event, AT_MS, "n1");
        let head = |kind| {
            format!(
                r#"{{"type":"{kind}","timestamp":"2023-11-14T22:13:20.123Z","data":{{"tenant":"acme","peer":"bob","#
            )
        };
        let (peer, resumed) = (&bob, true);
        assert_eq!(
            text(NodeEvent::Attached {
                peer,
                session,
                fence: 7,
                resumed
            }),
            format!(
                r#"{}"session":"{session}","fence":7,"node":"n1","resumed":true}}}}"#,
                head("peer.connected")
            )
        );
        assert_eq!(
            text(NodeEvent::Detached {
                peer,
                session,
                fence: 7
            }),
            format!(r#"{}"session":"{session}","fence":7}}}}"#, head("peer.detached"))
        );
        assert_eq!(
            text(NodeEvent::Ended { peer, session }),
            format!(r#"{}"session":"{session}"}}}}"#, head("peer.disconnected"))
        );
        assert_eq!(
            text(NodeEvent::Wanted { peer, by: &eve }),
            format!(r#"{}"by":"eve"}}}}"#, head("peer.wanted"))
        );
    }

    #[test]
    fn events_of_rooms_name_the_room_and_its_member() {
        let (room, bob) = (
            &RoomKey::new("acme", &RoomId::new("stage").unwrap()),
            &PeerId::new("bob").unwrap(),
        );
        let data = |event| {
            body(&event, AT_MS, "n1")
                .split_once("\"data\":")
                .unwrap()
                .1
                .to_owned()
        };
        let joined = NodeEvent::RoomJoined { room, peer: bob };
        assert_eq!(key(&joined), "acme/bob");
        assert_eq!(data(joined), r#"{"tenant":"acme","room":"stage","peer":"bob"}}"#);
        let left = NodeEvent::RoomLeft {
            room,
            peer: bob,
            reason: LeaveReason::Lost,
        };
        assert_eq!(
            data(left),
            r#"{"tenant":"acme","room":"stage","peer":"bob","reason":"lost"}}"#
        );
        let ended = NodeEvent::RoomEnded { room };
        assert_eq!(key(&ended), "acme/stage");
        assert_eq!(data(ended), r#"{"tenant":"acme","room":"stage"}}"#);
    }

    #[test]
    fn the_names_of_the_configuration_are_those_of_the_events() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::of_name(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::of_name("peer.conected"), None);
    }

    #[test]
    fn the_page_about_webhooks_has_every_event() {
        let page = include_str!("../../../docs/webhooks.md");
        let table = page.split("<!-- events -->").nth(1).unwrap();
        let table = table.split("<!-- /events -->").next().unwrap();
        let rows = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(Vec::from_iter(rows), EventKind::ALL.map(EventKind::as_str));
    }
}
