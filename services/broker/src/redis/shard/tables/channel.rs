//! The channels of subscriptions. Not their names in Redis (`keys`).

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;
use switchboard_protocol::{PeerKey, RoomKey};

use crate::{keys::Names, partition::Partition};

/// A channel that this node subscribes for its users. The node's own channel is not among them: it comes first on
/// every connection, and the connection is fit once it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The channel of a peer.
    Peer(PeerKey),
    /// The channel of a room.
    Room(RoomKey),
    /// The changes of a peer's presence.
    Presence(PeerKey),
    /// New revocations. Every node has it once, so it is not counted among the subscriptions.
    Revocations,
}

/// A channel, borrowed: so it is found by a name in a receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ChannelRef<'a> {
    /// The channel of this `tenant/peer`.
    Peer(&'a str),
    /// The channel of this `tenant/room`.
    Room(&'a str),
    /// The changes of the presence of this `tenant/peer`.
    Presence(&'a str),
    /// New revocations.
    Revocations,
}

impl<'a> ChannelRef<'a> {
    /// The channel with this name in Redis; `None` if no node subscribes to such a name.
    pub(crate) fn parse(names: &Names, name: &'a [u8]) -> Option<Self> {
        let peer = names.peer_of_channel(name).map(Self::Peer);
        let room = || names.room_of_channel(name).map(Self::Room);
        let presence = || names.peer_of_presence_channel(name).map(Self::Presence);
        let revocations = || (name == names.revocations().as_bytes()).then_some(Self::Revocations);
        peer.or_else(room).or_else(presence).or_else(revocations)
    }

    /// Whether it is one of the subscriptions that a node reports.
    pub(crate) fn is_counted(self) -> bool {
        self != Self::Revocations
    }
}

impl Channel {
    /// The same, borrowed.
    pub(crate) fn name(&self) -> ChannelRef<'_> {
        match self {
            Self::Peer(key) => ChannelRef::Peer(key.as_str()),
            Self::Room(room) => ChannelRef::Room(room.as_str()),
            Self::Presence(key) => ChannelRef::Presence(key.as_str()),
            Self::Revocations => ChannelRef::Revocations,
        }
    }

    /// The partition of its peer or room; none if it belongs to the whole cluster.
    pub(crate) fn partition(&self) -> Option<Partition> {
        match self {
            Self::Peer(key) | Self::Presence(key) => Some(Partition::of(key.as_str())),
            Self::Room(room) => Some(Partition::of(room.as_str())),
            Self::Revocations => None,
        }
    }
}

impl Hash for Channel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl Equivalent<Channel> for ChannelRef<'_> {
    fn equivalent(&self, channel: &Channel) -> bool {
        *self == channel.name()
    }
}
