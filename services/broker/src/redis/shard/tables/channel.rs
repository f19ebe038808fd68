//! The channels of subscriptions. Not their names in Redis (`keys`).

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;
use switchboard_protocol::{PeerKey, RoomKey};

use crate::keys::Names;

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
}

impl<'a> ChannelRef<'a> {
    /// The channel with this name in Redis; `None` if no node subscribes to such a name.
    pub(crate) fn parse(names: &Names, name: &'a [u8]) -> Option<Self> {
        let peer = names.peer_of_channel(name).map(Self::Peer);
        let room = || names.room_of_channel(name).map(Self::Room);
        let presence = || names.peer_of_presence_channel(name).map(Self::Presence);
        peer.or_else(room).or_else(presence)
    }
}

impl Channel {
    /// The same, borrowed.
    pub(crate) fn name(&self) -> ChannelRef<'_> {
        match self {
            Self::Peer(key) => ChannelRef::Peer(key.as_str()),
            Self::Room(room) => ChannelRef::Room(room.as_str()),
            Self::Presence(key) => ChannelRef::Presence(key.as_str()),
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
