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

use std::borrow::Cow;

use redis::{Arg, Cmd, Pipeline};

use crate::keys::PubSubVerbs;

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
    /// Exchanges what nodes say.
    ExchangeNodes = "exchange_nodes.lua";
    /// Agrees on the number of servers in use.
    ExchangeServers = "exchange_servers.lua";
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

/// The scripts with their hashes, computed once.
#[derive(Debug)]
pub(crate) struct Scripts([(Cow<'static, str>, String); Script::ALL.len()]);

impl Scripts {
    /// Scripts that publish with these commands.
    pub(crate) fn new(verbs: PubSubVerbs) -> Self {
        Self(Script::ALL.map(|script| {
            let source = with_verbs(script.source(), verbs);
            let hash = redis::Script::new(&source).get_hash().to_owned();
            (source, hash)
        }))
    }

    /// The beginning of a call, up to the number of keys. `with_source` is for a Redis that has forgotten
    /// the script.
    pub(crate) fn call(&self, script: Script, keys: usize, with_source: bool) -> Cmd {
        let mut command = Cmd::with_capacity(16, 512);
        if with_source {
            command.arg("EVAL").arg(&*self.0[script as usize].0);
        } else {
            command.arg("EVALSHA").arg(&self.0[script as usize].1);
        }
        command.arg(keys);
        command
    }

    /// `call` for a server that a slot of a Redis Cluster moves to: with the source, because that server may lack the script. And
    /// whether it then answers `{reply, {channel, payload, …}}` with what it would publish: subscribers are on the other server.
    pub(crate) fn for_importing(&self, call: &Cmd) -> (Cmd, bool) {
        let words = words_of(call);
        let is_called = |(source, hash): &&(Cow<'_, str>, String)| match words.as_slice() {
            [b"EVALSHA", called, ..] => *called == hash.as_bytes(),
            [b"EVAL", called, ..] => *called == source.as_bytes(),
            _ => false,
        };
        let Some((source, _)) = self.0.iter().find(is_called) else {
            return (call.clone(), false);
        };
        let returning = with_publications_returned(source);
        let mut with_source = Cmd::new();
        with_source
            .arg("EVAL")
            .arg(returning.as_deref().unwrap_or(source));
        for word in &words[2..] {
            with_source.arg(*word);
        }
        (with_source, returning.is_some())
    }

    /// Makes Redis know the scripts.
    pub(crate) fn load(&self, pipeline: &mut Pipeline) {
        for (source, _) in &self.0 {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(&**source);
        }
    }
}

/// The source with other commands of pub/sub than the plain ones, which the files have.
fn with_verbs(source: &'static str, verbs: PubSubVerbs) -> Cow<'static, str> {
    if verbs == PubSubVerbs::PLAIN {
        return Cow::Borrowed(source);
    }
    let plain = PubSubVerbs::PLAIN;
    let word = |verb: &str| format!("'{verb}'");
    let source = source.replace(&word(plain.publish), &word(verbs.publish));
    Cow::Owned(source.replace(&word(plain.count), &word(verbs.count)))
}

/// The words of a command that has no cursor.
fn words_of(call: &Cmd) -> Vec<&[u8]> {
    let words = call.args_iter().map(|word| match word {
        Arg::Simple(word) => Some(word),
        Arg::Cursor | _ => None,
    });
    words.flatten().collect()
}

/// The source of a script that publishes nothing and returns what it would publish, behind its reply. None if it is no such
/// script.
fn with_publications_returned(source: &str) -> Option<String> {
    let call = |verb: &str| format!("redis.call('{verb}',");
    let calls = [PubSubVerbs::PLAIN, PubSubVerbs::SHARDED].map(|verbs| call(verbs.publish));
    let body = calls
        .iter()
        .fold(source.to_owned(), |body, call| body.replace(call, "publish("));
    // An array for Redis ends at its first nil, and false is none.
    (body != source).then(|| {
        format!(
            "local published = {{}}\n\
             local function publish(channel, payload)\n\
             published[#published + 1] = channel\n\
             published[#published + 1] = payload\n\
             end\n\
             local function run()\n{body}\nend\n\
             return {{run() or false, published}}"
        )
    })
}

/// The command at the line that an error of a script names. Redis 7.0 tells no more of a right that is missing.
pub(crate) fn command_at(details: &str) -> Option<String> {
    let (_, place) = details.split_once("script: ")?;
    let (hash, line) = place.split_once(", on @user_script:")?;
    let line: usize = line.trim_end_matches('.').parse().ok()?;
    let all = [PubSubVerbs::PLAIN, PubSubVerbs::SHARDED].map(Scripts::new);
    let (source, _) = all
        .iter()
        .flat_map(|scripts| &scripts.0)
        .find(|(_, own)| own == hash)?;
    let line = source.lines().nth(line.checked_sub(1)?)?;
    let (_, call) = line.split_once("call('")?;
    call.split_once('\'')
        .map(|(command, _)| command.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_cluster_no_script_uses_a_plain_command_of_pub_sub() {
        let all = |verbs| Script::ALL.map(|script| with_verbs(script.source(), verbs));
        let count = |sources: &[Cow<'_, str>], verb: &str| {
            let uses = sources
                .iter()
                .map(|source| source.matches(&format!("'{verb}'")).count());
            uses.sum::<usize>()
        };
        let (plain, sharded) = (all(PubSubVerbs::PLAIN), all(PubSubVerbs::SHARDED));
        let uses = |sources: &[Cow<'_, str>], verbs: PubSubVerbs| {
            (count(sources, verbs.publish), count(sources, verbs.count))
        };
        assert!(uses(&plain, PubSubVerbs::PLAIN).0 > 5 && uses(&plain, PubSubVerbs::PLAIN).1 == 1);
        assert_eq!(
            uses(&sharded, PubSubVerbs::SHARDED),
            uses(&plain, PubSubVerbs::PLAIN)
        );
        assert_eq!(uses(&sharded, PubSubVerbs::PLAIN), (0, 0));
        assert!(sharded.iter().all(|source| !source.contains("\"PUBLISH")));
    }

    #[test]
    fn a_script_for_a_slot_that_moves_has_its_source_and_returns_what_it_would_publish() {
        let scripts = Scripts::new(PubSubVerbs::SHARDED);
        let mut publishing = 0;
        for script in Script::ALL {
            for has_source in [false, true] {
                let mut call = scripts.call(script, 1, has_source);
                call.arg("key").arg("argument");
                let (call, returns) = scripts.for_importing(&call);
                let words = words_of(&call);
                let source = std::str::from_utf8(words[1]).unwrap();
                assert_eq!((words[0], words.len()), (b"EVAL".as_slice(), 5));
                assert_eq!(words[2..], [b"1".as_slice(), b"key", b"argument"]);
                assert!(!source.contains("SPUBLISH"), "{source}");
                assert_eq!(returns, source.contains("publish(channel, payload)"));
                publishing += usize::from(returns);
            }
        }
        assert!(publishing > 20, "{publishing}");
        let (get, returns) = scripts.for_importing(redis::cmd("GET").arg("key"));
        assert_eq!((get.args_iter().count(), returns), (2, false));
    }

    #[test]
    fn the_line_of_an_error_leads_to_its_command() {
        let scripts = Scripts::new(PubSubVerbs::PLAIN);
        let text = "The user executing the script can't run this command or subcommand script: ";
        let mut commands = 0;
        for script in Script::ALL {
            let hash = &scripts.0[script as usize].1;
            for (line, source) in (1..).zip(script.source().lines()) {
                assert!(
                    source.matches("call('").count() <= 1,
                    "of which command? {source}"
                );
                let error = format!("{text}{hash}, on @user_script:{line}.");
                let named = command_at(&error);
                assert_eq!(named.is_some(), source.contains("call('"), "{source}");
                if let Some(command) = named {
                    let call = format!("call('{command}'");
                    assert!(source.to_ascii_lowercase().contains(&call), "{source}");
                    commands += 1;
                }
            }
        }
        assert!(commands > 50, "{commands}");
        let unknown = format!("{text}0000, on @user_script:1.");
        assert_eq!(command_at(&unknown), None);
        assert_eq!(
            command_at("this user has no permissions to run the 'hset' command"),
            None
        );
    }
}
