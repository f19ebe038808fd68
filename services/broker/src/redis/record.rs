//! What a peer's record holds, read from and written for the scripts. Not the scripts (`scripts`).

use bytes::Bytes;
use redis::{Cmd, Value};
use switchboard_core::{AcceptedRanges, BrokerError, PreviousOwner, SessionSnapshot, Unacked};
use switchboard_protocol::{NodeId, PeerKey, SessionId};

use crate::keys;

/// Bytes of one entry of a tail: number, sender, id.
const TAIL_ENTRY: usize = 8 + SessionId::BYTES + 8;

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) fence: u64,
    pub(crate) previous: Option<PreviousOwner>,
    pub(crate) saved: Option<SessionSnapshot>,
    pub(crate) mail: Vec<Bytes>,
}

/// Who holds a peer, by its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) node: NodeId,
    pub(crate) incarnation: String,
    pub(crate) session: String,
    pub(crate) is_attached: bool,
    /// Changes whenever the holder says that its client was heard.
    pub(crate) alive: Option<String>,
}

/// Asks who holds `key`.
pub(crate) fn ask_holder(key: &PeerKey) -> Cmd {
    let mut command = Cmd::with_capacity(7, 224);
    command.arg("HMGET").arg(keys::session(key.as_str()));
    for field in ["node", "inc", "session", "state", "alive"] {
        command.arg(field);
    }
    command
}

type HolderFields = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Reads the answer of [`ask_holder`].
pub(crate) fn read_holder(reply: &Value) -> Result<Option<Holder>, BrokerError> {
    let (node, incarnation, session, state, alive): HolderFields =
        redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    Ok(node.zip(incarnation).and_then(|(node, incarnation)| {
        Some(Holder {
            node: NodeId::new(&node).ok()?,
            incarnation,
            session: session.unwrap_or_default(),
            is_attached: state.as_deref() == Some("attached"),
            alive,
        })
    }))
}

/// Reads the answer of a claim by `session`.
pub(crate) fn read_claimed(reply: &Value, session: SessionId) -> Result<Claimed, BrokerError> {
    if matches!(reply, Value::Array(fields) if fields.len() == 1) {
        return Err(BrokerError::NotResumable);
    }
    type Fields = (u64, String, String, String, Vec<(Vec<u8>, Vec<u8>)>, Vec<Vec<u8>>);
    let (fence, node, old, state, record, letters): Fields =
        redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    let previous = || {
        let (node, old) = (NodeId::new(&node).ok()?, SessionId::parse(&old).ok()?);
        Some(PreviousOwner { node, session: old })
    };
    let previous = (state == "attached").then(previous).flatten();
    Ok(Claimed {
        fence,
        // A node's own earlier claim of the same session is nobody else's.
        previous: previous.filter(|previous| previous.session != session || !node.is_empty()),
        saved: (state == "detached").then(|| read_saved(&record)).flatten(),
        mail: letters.into_iter().map(Bytes::from).collect(),
    })
}

/// `None` when the session was not detached in order: its node died, and others say so.
fn read_saved(record: &[(Vec<u8>, Vec<u8>)]) -> Option<SessionSnapshot> {
    let field = |name: &str| record.iter().find(|(field, _)| field == name.as_bytes());
    let (_, last_seq) = field("q")?;
    let last_seq = std::str::from_utf8(last_seq).ok()?.parse().ok()?;
    let tail = field("t").map(|(_, tail)| read_tail(tail)).unwrap_or_default();
    let marks = record.iter().filter_map(|(field, marks)| {
        let sender = std::str::from_utf8(field.strip_prefix(b"m:")?).ok()?;
        let mut marks = read_marks(std::str::from_utf8(marks).ok()?)?;
        // What was left in the mailbox comes out of it; here it would look like a repetition.
        marks.keep_done();
        Some((SessionId::parse(sender).ok()?, marks))
    });
    Some(SessionSnapshot {
        last_seq,
        tail,
        accepted: marks.collect(),
    })
}

/// The text of marks: what is done, then the runs, each number with 20 digits.
pub(crate) fn write_marks(marks: &AcceptedRanges) -> String {
    let ranges: Vec<_> = marks
        .ranges
        .iter()
        .map(|(first, last)| format!("{first:020}-{last:020}"))
        .collect();
    format!("{:020};{}", marks.done, ranges.join(","))
}

fn read_marks(text: &str) -> Option<AcceptedRanges> {
    let (done, runs) = text.split_once(';')?;
    let runs = runs.split(',').filter(|run| !run.is_empty()).map(|run| {
        let (first, last) = run.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    Some(AcceptedRanges {
        done: done.parse().ok()?,
        ranges: runs.collect::<Option<_>>()?,
    })
}

/// The bytes of a tail.
pub(crate) fn write_tail(tail: &[Unacked]) -> Vec<u8> {
    let mut out = Vec::with_capacity(tail.len() * TAIL_ENTRY);
    for unacked in tail {
        out.extend_from_slice(&unacked.seq.to_be_bytes());
        out.extend_from_slice(unacked.sender.as_bytes());
        out.extend_from_slice(&unacked.id.to_be_bytes());
    }
    out
}

fn read_tail(bytes: &[u8]) -> Vec<Unacked> {
    let (entries, _) = bytes.as_chunks::<TAIL_ENTRY>();
    let entries = entries.iter().filter_map(|entry| {
        let (seq, rest) = entry.split_first_chunk::<8>()?;
        let (sender, rest) = rest.split_first_chunk::<{ SessionId::BYTES }>()?;
        let (id, _) = rest.split_first_chunk::<8>()?;
        Some(Unacked {
            seq: u64::from_be_bytes(*seq),
            sender: SessionId::from_bytes(*sender),
            id: u64::from_be_bytes(*id),
        })
    });
    entries.collect()
}

/// Reads the answer of a re-assertion: the higher fence that stands, if one does.
pub(crate) fn read_reasserted(reply: &Value) -> Result<Option<u64>, BrokerError> {
    let fence: u64 = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    Ok((fence > 0).then_some(fence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_tails_read_back_what_was_written() {
        let marks = AcceptedRanges {
            done: 7,
            ranges: vec![(1, 3), (7, 7), (u64::MAX, u64::MAX)],
        };
        assert_eq!(read_marks(&write_marks(&marks)), Some(marks));
        assert_eq!(
            read_marks(&write_marks(&AcceptedRanges::default())),
            Some(AcceptedRanges::default())
        );
        let tail = [Unacked {
            seq: 3,
            sender: SessionId::from_bytes([5; 12]),
            id: u64::MAX,
        }; 2];
        assert_eq!(read_tail(&write_tail(&tail)), tail);
    }
}
