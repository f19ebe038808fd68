//! What a node does about an error of Redis: one table, from the error's code to the reaction and the words for people. Not
//! the state that follows (`shard::health`).

use switchboard_telemetry::RedisOp;

use super::scripts::command_at;

/// What follows from an error. In every case the caller of the command gets [`switchboard_core::BrokerError::Refused`],
/// and sends are transmitted again until their deadline; only a script is sent again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Redis does not know the script: the command is sent again with the source.
    SendSource,
    /// The error concerns this command only.
    Fail,
    /// Redis takes no such command from anybody: the node is `bus-refused` until it takes a write again.
    Wait,
    /// The same, until it takes a command of this kind: another one proves nothing of this right or resource.
    WaitForKind,
    /// The same as `Wait`, and the connections are dialled anew: they may lead to another server, or need other
    /// credentials.
    Redial,
}

/// One line of the table.
struct Row {
    code: &'static str,
    /// A part of the text behind the code that tells this error from others of the same code; empty: any text.
    text: &'static str,
    reaction: Reaction,
    /// Continues "because".
    meaning: &'static str,
}

const fn row(code: &'static str, text: &'static str, reaction: Reaction, meaning: &'static str) -> Row {
    Row {
        code,
        text,
        reaction,
        meaning,
    }
}

/// Every code of Redis 7 and Valkey 8 that a node can meet, from their sources (`server.c`, `networking.c`, `script.c`,
/// `cluster.c`, `acl.c`). The first row that fits counts.
#[rustfmt::skip] // One row a line.
const TABLE: [Row; 33] = [
    row("NOSCRIPT", "", Reaction::SendSource, "it has forgotten a script"),
    row("READONLY", "", Reaction::Redial, "it is a replica"),
    row("MASTERDOWN", "", Reaction::Redial, "it is a replica without its master"),
    row("REDIRECT", "", Reaction::Redial, "another server is the master"),
    row("UNBLOCKED", "", Reaction::Redial, "it has become a replica"),
    row("NOAUTH", "", Reaction::Redial, "it asks for a password"),
    row("WRONGPASS", "", Reaction::Redial, "the user or the password is wrong"),
    row("ERR", "invalid password", Reaction::Redial, "the password is wrong"),
    row("ERR", "without any password configured", Reaction::Wait, "it has no password, and the URL has one"),
    row("ERR", "DB index is out of range", Reaction::Wait, "it has no database of this number"),
    row("ERR", "SELECT is not allowed in cluster mode", Reaction::Wait, "a Redis Cluster has the database 0 only"),
    row("DENIED", "", Reaction::Wait, "it is in protected mode"),
    row("ERR", "max number of clients", Reaction::Wait, "it has as many connections as `maxclients` allows"),
    row("MISCONF", "", Reaction::Wait, "it cannot save to disk"),
    row("NOREPLICAS", "", Reaction::Wait, "it has too few replicas"),
    row("LOADING", "", Reaction::Wait, "it loads its data"),
    row("BUSY", "", Reaction::Wait, "it is busy with a script"),
    row("CLUSTERDOWN", "", Reaction::Wait, "its Redis Cluster is down"),
    row("MOVED", "", Reaction::Wait, "it is a Redis Cluster and another server has this key; see `redis_mode`"),
    row("ASK", "", Reaction::Wait, "it is a Redis Cluster and another server has this key; see `redis_mode`"),
    row("CROSSSLOT", "", Reaction::Wait, "it is a Redis Cluster, and keys of one command are on two servers"),
    row("OOM", "", Reaction::WaitForKind, "its memory is full"),
    row("NOPERM", "", Reaction::WaitForKind, "the user of this node may not do that; `ACL LOG` names the right"),
    row("ERR", "unknown command", Reaction::WaitForKind, "it lacks a command that nodes need"),
    row("ERR", "Unknown Redis command", Reaction::WaitForKind, "it lacks a command that nodes need"),
    row("TRYAGAIN", "", Reaction::Fail, "it moves this key to another server"),
    row("WRONGTYPE", "", Reaction::Fail, "another program has written a key of this cluster"),
    row("EXECABORT", "", Reaction::Fail, "an earlier command of the transaction failed"),
    row("BUSYKEY", "", Reaction::Fail, "the key exists"),
    row("BUSYGROUP", "", Reaction::Fail, "the consumer group exists"),
    row("NOGROUP", "", Reaction::Fail, "the stream or its consumer group is gone"),
    row("NOPROTO", "", Reaction::Fail, "it does not speak this protocol"),
    row("ERR", "", Reaction::Fail, "it cannot do that"),
];

/// How the text of a right begins that is missing within a script, where it has no code: in Redis 7.0, and in later ones
/// and Valkey.
const SCRIPT_NOPERM: [&str; 2] = ["The user executing the script can't", "ACL failure in script:"];

/// An error of Redis, as the table describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reaction: Reaction,
    /// Redis lacks memory.
    pub(crate) is_of_memory: bool,
    /// For people, behind "because": the meaning, the code, and what Redis says.
    pub(crate) why: String,
}

impl Refusal {
    /// The error of a command of the kind `op`.
    ///
    /// A renewal of the lease and a PUBLISH cannot be wrong by themselves, so any error of them concerns every command. An
    /// unknown error of another command concerns that command.
    pub(crate) fn of(op: RedisOp, code: &str, details: Option<&str>) -> Self {
        let details = details.unwrap_or_default();
        let code = code_of(code, details);
        let row = find(code, details);
        let reaction = match row.map_or(Reaction::Fail, |row| row.reaction) {
            Reaction::Fail if matches!(op, RedisOp::Lease | RedisOp::Publish) => Reaction::WaitForKind,
            reaction @ (Reaction::SendSource
            | Reaction::Fail
            | Reaction::Wait
            | Reaction::WaitForKind
            | Reaction::Redial) => reaction,
        };
        let meaning = row.map_or("the code is unknown to this version", |row| row.meaning);
        let said = match reaction {
            // It refuses every command, so the one that was sent first is no part of the reason.
            Reaction::Wait | Reaction::Redial => shown(details),
            Reaction::SendSource | Reaction::Fail | Reaction::WaitForKind => said(details),
        };
        Self {
            reaction,
            is_of_memory: row.is_some_and(|row| row.code == "OOM"),
            why: match reaction {
                Reaction::WaitForKind => format!("{meaning} ({}: {code} {said})", op.as_str()),
                Reaction::SendSource | Reaction::Fail | Reaction::Wait | Reaction::Redial => {
                    format!("{meaning} ({code} {said})")
                }
            },
        }
    }

    /// Why Redis takes no such command of this node, for people, if the error is about the kind of command: a right, or a
    /// command that Redis does not have.
    pub(crate) fn of_kind(code: &str, details: Option<&str>) -> Option<String> {
        let details = details.unwrap_or_default();
        let code = code_of(code, details);
        let row = find(code, details).filter(|row| row.reaction == Reaction::WaitForKind)?;
        Some(format!("{} ({code} {})", row.meaning, said(details)))
    }

    /// The whole sentence.
    pub(crate) fn text(&self) -> String {
        format!("Redis refuses commands, because {}", self.why)
    }

    /// The same of an error as Redis sends it: the code and the details in one text.
    pub(crate) fn of_text(op: RedisOp, error: &[u8]) -> Self {
        let error = String::from_utf8_lossy(error);
        let (code, details) = error.split_once(' ').unwrap_or((&error, ""));
        Self::of(op, code, Some(details))
    }
}

/// The code of an error. A right that is missing within a script has none.
fn code_of<'a>(code: &'a str, details: &str) -> &'a str {
    match SCRIPT_NOPERM.iter().any(|begin| details.starts_with(begin)) {
        true => "NOPERM",
        false => code,
    }
}

/// What Redis says, with the command of a script that it does not name.
fn said(details: &str) -> String {
    let mut said = shown(details);
    if let Some(command) = command_at(details) {
        said += &format!(" The command is `{command}`.");
    }
    said
}

fn find(code: &str, details: &str) -> Option<&'static Row> {
    let fits = |row: &&Row| row.code == code && details.contains(row.text);
    // Redis 6 puts the code of a command in a script into the text.
    let nested = || {
        let words = details
            .split_whitespace()
            .filter_map(|word| word.strip_prefix('-'));
        let mut codes = words.filter(|_| code == "ERR");
        codes.find_map(|word| TABLE.iter().find(|row| row.code == word && row.text.is_empty()))
    };
    nested().or_else(|| TABLE.iter().find(fits))
}

/// The most of an error's text that is shown, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// The text of an error, without the arguments of the command that some errors repeat: those hold payloads and passwords.
pub(crate) fn shown(details: &str) -> String {
    let text = details
        .split(", with args beginning with")
        .next()
        .unwrap_or_default();
    text.chars()
        .filter(|shown| !shown.is_control())
        .take(MAX_SHOWN_CHARS)
        .collect()
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
