//! Loads the Lua scripts. Each touches only keys of one partition, or of one node, and names its
//! keys, arguments and answer in its head. Not the values of arguments (`command`), not the consequences of answers
//! (`interpret`).
//!
//! A peer's record is a hash: `v` (the fence), `session`, `node`, `inc` (incarnation of that node), `state`,
//! `secret` (SHA-256 of the resume secret, which never leaves the node), `b` (bytes in the offline queue),
//! `c:<peer>` (messages and bytes that this peer has stored since the claim),
//! `touches` (how often the owner's client answered a probe), `r:<room>` (session and `info` of a membership), and of a
//! detached session `q` (last
//! event number), `t` (unacknowledged tail) and `m:<sender>` (accepted ranges of each sender).
//!
//! A room is a hash: `#version`, `#created` (its version when it was created), and a field for each member, named by the
//! peer: `<o or d> <incarnation> <session> <version at which it was entered> <info>`, for online or detached.
//! A change of a room is published on its channel as a text (`command::room_delta`).
//!
//! The record of a peer without a session, for which messages are held, has the state `held` and no owner; `w` is when
//! somebody was last asked to wake the peer up.
//!
//! A sorted set of each partition has its detached sessions, `<session> <fence> <tenant/peer>`, by the end of their
//! windows in milliseconds of Redis' clock (`shard::session_ends`).
//!
//! The fence only grows: `max(v + 1, time in µs)` grows even when Redis has lost the record.

use redis::{Cmd, Pipeline};

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($file:literal)+;)*) => {
        /// One script.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Script {
            $($(#[$doc])* $name,)*
        }

        impl Script {
            const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            const fn source(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($(include_str!($file)),+),)*
                }
            }
        }
    };
}

scripts! {
    /// Claims a peer.
    Claim = "queue.lua" "claim.lua";
    /// Writes a claim again.
    Reassert = "queue.lua" "presence.lua" "reassert.lua";
    /// Gives a claim up.
    Release = "queue.lua" "presence.lua" "release.lua";
    /// Gives a claim up and keeps the session for a resume.
    Detach = "queue.lua" "presence.lua" "detach.lua";
    /// Stores a message in an offline queue.
    Store = "queue.lua" "presence.lua" "store.lua";
    /// Charges a tenant for a message that is held.
    ChargeHold = "charge_hold.lua";
    /// Reads an offline queue.
    ReadOfflineQueue = "queue.lua" "read_offline_queue.lua";
    /// Removes the oldest messages from an offline queue.
    RemoveStored = "remove_stored.lua";
    /// Notes that a client answered a probe.
    Touch = "touch.lua";
    /// Takes or renews a lease.
    TakeLease = "take_lease.lua";
    /// Ends a lease.
    EndLease = "end_lease.lua";
    /// Ends a record whose owner is dead.
    Orphan = "queue.lua" "presence.lua" "orphan.lua";
    /// Ends a session that the backend removes.
    RemoveSession = "presence.lua" "remove_session.lua";
    /// Stores revocations.
    Revoke = "revoke.lua";
    /// Ends a session whose resume window is over.
    EndSession = "queue.lua" "presence.lua" "end_session.lua";
    /// Enters a member into a room.
    JoinRoom = "join_room.lua";
    /// Notes that a member has lost its connection.
    DetachMember = "detach_member.lua";
    /// Removes a member from a room.
    LeaveRoom = "leave_room.lua";
    /// Writes a member again.
    ReassertMember = "reassert_member.lua";
    /// Notes a room in a session's record.
    NoteRoom = "note_room.lua";
    /// Removes such a note.
    RemoveRoomNote = "remove_room_note.lua";
    /// Exchanges the nodes' numbers of connections.
    ExchangeLoad = "exchange_load.lua";
    /// Exchanges what tenants have on the nodes.
    ExchangeUsage = "exchange_usage.lua";
    /// Appends an event to a stream.
    AppendEvent = "append_event.lua";
    /// Renews, releases and takes partitions of a stream.
    HoldPartitions = "hold_partitions.lua";
    /// Releases a node's partitions of a stream.
    LeavePartitions = "leave_partitions.lua";
    /// Reads events of a stream.
    ReadPartitions = "read_partitions.lua";
    /// Moves an event to the dead ones.
    GiveUpEvent = "give_up_event.lua";
    /// Appends dead events again.
    ReplayEvents = "replay_events.lua";
}

/// The scripts' hashes, computed once.
#[derive(Debug)]
pub(crate) struct Scripts([String; Script::ALL.len()]);

impl Scripts {
    pub(crate) fn new() -> Self {
        Self(Script::ALL.map(|script| redis::Script::new(script.source()).get_hash().to_owned()))
    }

    /// The beginning of a call, up to the number of keys. `with_source` is for a Redis that has forgotten
    /// the script.
    pub(crate) fn call(&self, script: Script, keys: usize, with_source: bool) -> Cmd {
        let mut command = Cmd::with_capacity(16, 512);
        if with_source {
            command.arg("EVAL").arg(script.source());
        } else {
            command.arg("EVALSHA").arg(&self.0[script as usize]);
        }
        command.arg(keys);
        command
    }

    /// Makes Redis know the scripts.
    pub(crate) fn load(pipeline: &mut Pipeline) {
        for script in Script::ALL {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(script.source());
        }
    }
}
