//! The tables of a shard, under one lock: the channels to receive, the peers owned, and the members of rooms. A claim is
//! one user of its peer's channel, and a room with connected members is one user of its own; these are the steps that
//! change several tables.

mod channel;
mod claims;
mod rooms;
mod subscriptions;

use std::time::Instant;

pub(crate) use channel::{Channel, ChannelRef};
pub(crate) use claims::ClaimTable;
pub(crate) use rooms::RoomTable;
pub(crate) use subscriptions::{Change, Confirmation, SubscriptionTable};
use switchboard_core::RoomMember;
use switchboard_protocol::{PeerKey, ResumeToken, RoomKey, SessionId};

use crate::{
    partition::{Partition, PartitionSet},
    redis::{claim::LocalClaim, command::room_call::RoomCall, periods::SETTLE},
};

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) subscriptions: SubscriptionTable,
    pub(crate) claims: ClaimTable,
    pub(crate) rooms: RoomTable,
    /// Partitions that came from another shard lately, and when.
    arrivals: Vec<(Instant, PartitionSet)>,
}

/// The entries of partitions on their way from one shard to another.
#[derive(Debug)]
pub(crate) struct Moved {
    channels: Vec<subscriptions::HandedOver>,
    claims: Vec<(PeerKey, claims::MovedClaim)>,
    rooms: Vec<(RoomKey, rooms::MovedRoom)>,
}

/// The answer to [`Tables::take`].
#[derive(Debug)]
pub(crate) struct Taken {
    /// Resolves when the subscription is confirmed; `None` if it is confirmed already.
    pub(crate) confirmation: Option<Confirmation>,
    /// The session of this node that owned the peer until now.
    pub(crate) displaced: Option<SessionId>,
}

impl Tables {
    /// `token`'s session takes `key`, which is subscribed if it is not yet.
    pub(crate) fn take(&mut self, key: &PeerKey, token: ResumeToken) -> Taken {
        let channel = Channel::Peer(key.clone());
        let displaced = self.claims.take(key, token);
        let confirmation = if displaced.is_some() {
            // The new claim takes the old one's place as a user; an attach of the old one need not wait.
            self.subscriptions.stop_waiting(channel.name());
            self.subscriptions.wait(&channel)
        } else {
            self.subscriptions.add_user(&channel)
        };
        Taken {
            confirmation,
            displaced,
        }
    }

    /// `session` gives `key` up, unless `fence` names another claim of that session (0: any); the claim's fence if
    /// it was the owner.
    pub(crate) fn give_up(&mut self, key: &PeerKey, session: SessionId, fence: u64) -> Option<u64> {
        let fence = self.claims.give_up(key, session, fence)?;
        self.subscriptions.remove_user(ChannelRef::Peer(key.as_str()));
        Some(fence)
    }

    /// The attach of `session` ends without a claim, which is left to the background; false if it is not the owner
    /// any more.
    pub(crate) fn leave_to_background(&mut self, key: &PeerKey, session: SessionId) -> bool {
        let is_owner = self.claims.leave_to_background(key, session);
        if is_owner {
            self.subscriptions.stop_waiting(ChannelRef::Peer(key.as_str()));
        }
        is_owner
    }

    /// Redis confirmed the subscription of a peer (`tenant/peer`). True if its claim is due now.
    pub(crate) fn subscribed(&mut self, peer: &str) -> bool {
        self.subscriptions.subscribed(ChannelRef::Peer(peer));
        self.claims.is_due(peer)
    }

    /// Others may have taken peers of this node: nothing is subscribed until every claim was checked.
    pub(crate) fn pause(&mut self) {
        self.subscriptions.pause();
        self.rooms.may_be_swept();
        self.next_epoch();
    }

    /// The shared records may have been lost.
    pub(crate) fn next_epoch(&mut self) {
        self.claims.next_epoch();
        self.rooms.next_epoch();
    }

    /// This node enters a member. Returns `call` if it can go out now; else it waits for the room's channel.
    pub(crate) fn enter_room(
        &mut self,
        room: &RoomKey,
        member: RoomMember,
        call: RoomCall,
    ) -> Option<RoomCall> {
        if self.rooms.enter(room, member) {
            // The table wakes those who wait; the calls of a room wait in their own list.
            drop(self.subscriptions.add_user(&Channel::Room(room.clone())));
        }
        self.after_room_calls(room, call)
    }

    /// Returns `call` if no call for this room waits; else it waits behind them.
    pub(crate) fn after_room_calls(&mut self, room: &RoomKey, call: RoomCall) -> Option<RoomCall> {
        let is_confirmed = self.subscriptions.is_confirmed(ChannelRef::Room(room.as_str()));
        self.rooms.wait(room, call, is_confirmed)
    }

    /// The node has no connected member of the room any more. The calls that waited for its channel.
    pub(crate) fn forget_room(&mut self, room: &RoomKey) -> Vec<RoomCall> {
        let (was_used, waiting) = self.rooms.forget(room);
        if was_used {
            self.subscriptions.remove_user(ChannelRef::Room(room.as_str()));
        }
        waiting
    }

    /// Redis confirmed the subscription of a room (`tenant/room`). Whether changes may have been missed before, and the
    /// calls that waited for it.
    pub(crate) fn room_subscribed(&mut self, room: &str) -> (bool, Vec<RoomCall>) {
        self.subscriptions.subscribed(ChannelRef::Room(room));
        self.rooms.subscribed(room)
    }

    /// Gives up what belongs to some partitions, with what belongs to the whole cluster if `with_cluster`.
    pub(crate) fn hand_over(&mut self, partitions: &PartitionSet, with_cluster: bool) -> Moved {
        let moves = |name: &str| partitions.contains(Partition::of(name));
        Moved {
            channels: self.subscriptions.hand_over(|channel| {
                channel
                    .partition()
                    .map_or(with_cluster, |partition| partitions.contains(partition))
            }),
            claims: self.claims.hand_over(|key| moves(key.as_str())),
            rooms: self.rooms.hand_over(|room| moves(room.as_str())),
        }
    }

    /// Takes over what another shard gave up. All of it is subscribed, claimed and written here as after a reconnect.
    pub(crate) fn take_over(&mut self, moved: Moved) {
        self.subscriptions.take_over(moved.channels);
        self.claims.take_over(moved.claims);
        self.rooms.take_over(moved.rooms);
    }

    /// These partitions have come from another shard.
    pub(crate) fn arrived(&mut self, partitions: &PartitionSet) {
        self.arrivals.retain(|(at, _)| at.elapsed() < SETTLE);
        self.arrivals.push((Instant::now(), *partitions));
    }

    /// Whether `partition` has been here for a while; none: all of them. Until then other nodes make their claims here.
    pub(crate) fn has_settled(&self, partition: Option<Partition>) -> bool {
        let recent = self.arrivals.iter().filter(|(at, _)| at.elapsed() < SETTLE);
        let mut recent = recent.map(|(_, partitions)| partitions);
        !recent.any(|arrived| partition.is_none_or(|partition| arrived.contains(partition)))
    }

    /// The claims to make now: all that are due during a pause, else those with a confirmed subscription.
    pub(crate) fn claims_to_make(&self) -> Vec<LocalClaim> {
        self.claims.list_due(|key| {
            self.subscriptions.is_paused() || self.subscriptions.is_confirmed(ChannelRef::Peer(key.as_str()))
        })
    }

    /// Whether everything is subscribed and claimed again after the last rebuild.
    pub(crate) fn is_complete(&self) -> bool {
        self.subscriptions.is_complete() && self.claims.due() == 0
    }
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
