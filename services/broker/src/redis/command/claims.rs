//! Claim, re-assertion and release of a peer: arguments and answers of their scripts.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};
use switchboard_core::{BrokerError, PreviousOwner, Retention};
use switchboard_protocol::{NodeId, SessionId};

use super::{
    super::{
        claim::{LocalClaim, Release},
        periods::millis,
        record::{Claimed, Reasserted, snapshot_text},
        scripts::Script,
    },
    caller::{Caller, session_text},
    rooms,
};

/// Claims a peer.
pub(crate) fn write_claim(
    caller: &Caller,
    claim: &LocalClaim,
    resume: bool,
    window: Duration,
    with_source: bool,
) -> Cmd {
    let mut command = caller.on_record_queue_and_ends(Script::Claim, &claim.key, with_source);
    caller.identify(&mut command, claim.session());
    command
        .arg(claim.secret_hash())
        .arg(u8::from(resume))
        .arg(millis(window));
    command
}

/// Reads the answer of a claim.
pub(crate) fn read_claimed(reply: &Value) -> Result<Claimed, BrokerError> {
    if matches!(reply, Value::Array(fields) if fields.len() == 1) {
        return Err(BrokerError::NotResumable);
    }
    if let Value::BulkString(_) = reply {
        let fence = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
        return Ok(Claimed::of_new_peer(fence));
    }
    type Fields = (u64, String, String, String, Vec<(Vec<u8>, Vec<u8>)>, Vec<Vec<u8>>);
    let (fence, node, session, state, record, stored): Fields =
        redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    let previous = || {
        let (node, session) = (NodeId::new(&node).ok()?, SessionId::parse(&session).ok()?);
        Some(PreviousOwner { node, session })
    };
    let previous = (state == "attached").then(previous).flatten();
    Ok(Claimed {
        fence,
        previous,
        snapshot: (state == "detached")
            .then(|| snapshot_text::read_snapshot(&record))
            .flatten(),
        stored: stored.into_iter().map(Bytes::from).collect(),
        rooms: rooms::read_notes(&record),
    })
}

/// Writes a claim again.
pub(crate) fn write_reassert(caller: &Caller, claim: &LocalClaim, with_source: bool) -> Cmd {
    let mut command = caller.on_record(Script::Reassert, &claim.key, with_source);
    caller.identify(&mut command, claim.session());
    command.arg(claim.secret_hash()).arg(claim.fence);
    command
}

/// Reads the answer of a re-assertion.
pub(crate) fn read_reasserted(reply: &Value) -> Result<Reasserted, BrokerError> {
    let words: Vec<String> = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    match &words[..] {
        [fence] => Ok(Reasserted::Outdone(
            fence.parse().map_err(|_| BrokerError::Refused)?,
        )),
        [zero, node, _, _] if zero == "0" && node.is_empty() => Ok(Reasserted::WasMissing),
        [zero, node, session, state] if zero == "0" => {
            let previous = || {
                let (node, session) = (NodeId::new(node).ok()?, SessionId::parse(session).ok()?);
                Some(PreviousOwner { node, session })
            };
            Ok(Reasserted::Stands((state == "attached").then(previous).flatten()))
        }
        _ => Err(BrokerError::Refused),
    }
}

/// Gives a claim up, or keeps its session for a resume.
pub(crate) fn write_release(caller: &Caller, release: &Release, with_source: bool) -> Cmd {
    let script = if release.retention.is_some() {
        Script::Detach
    } else {
        Script::Release
    };
    let mut command = caller.on_record_queue_and_ends(script, &release.key, with_source);
    command
        .arg(session_text(release.session))
        .arg(caller.run.node.as_str())
        .arg(release.fence);
    if let Some(Retention { snapshot, window }) = &release.retention {
        let (last, tail) = match snapshot {
            Some(snapshot) => (
                snapshot.last_seq.to_string(),
                snapshot_text::write_tail(&snapshot.tail),
            ),
            None => (String::new(), Vec::new()),
        };
        command.arg(last).arg(tail).arg(millis(*window));
        for (sender, ranges) in snapshot.iter().flat_map(|snapshot| &snapshot.accepted) {
            command
                .arg(session_text(*sender))
                .arg(snapshot_text::write_ranges(ranges));
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn reply(old: [&str; 3], record: &[&str]) -> Value {
        let old = ["7", old[0], old[1], old[2]].map(text);
        let record = Value::Array(record.iter().map(|field| text(field)).collect());
        Value::Array(
            old.into_iter()
                .chain([record, Value::Array(vec![text("one")])])
                .collect(),
        )
    }

    #[test]
    fn a_claim_of_a_free_peer_finds_nothing() {
        assert_eq!(read_claimed(&text("7")), Ok(Claimed::of_new_peer(7)));
        assert_eq!(read_claimed(&text("x")), Err(BrokerError::Refused));
    }

    #[test]
    fn a_claim_of_a_peer_without_a_session_takes_the_messages_that_are_held() {
        let claimed = read_claimed(&reply(["", "", "held"], &["b", "3"])).unwrap();
        assert_eq!(
            (claimed.fence, claimed.previous, claimed.snapshot),
            (7, None, None)
        );
        assert_eq!(claimed.stored, ["one"]);
    }

    #[test]
    fn a_claim_of_an_attached_peer_names_its_owner_and_takes_no_snapshot() {
        let session = SessionId::from_bytes([5; 12]);
        let claimed = read_claimed(&reply(["n1", &session.to_string(), "attached"], &["q", "3"])).unwrap();
        let node = NodeId::new("n1").unwrap();
        assert_eq!(claimed.previous, Some(PreviousOwner { node, session }));
        assert_eq!(claimed.snapshot, None);
    }

    #[test]
    fn a_claim_of_a_detached_peer_takes_its_snapshot_and_names_nobody() {
        let session = SessionId::from_bytes([5; 12]).to_string();
        let claimed = read_claimed(&reply(["n1", &session, "detached"], &["q", "3"])).unwrap();
        assert_eq!(claimed.previous, None);
        assert_eq!(claimed.snapshot.map(|snapshot| snapshot.last_seq), Some(3));
    }

    #[test]
    fn a_lost_session_is_not_resumable_and_other_replies_are_refused() {
        let lost = Value::Array(vec![text("lost")]);
        assert_eq!(read_claimed(&lost), Err(BrokerError::NotResumable));
        assert_eq!(read_claimed(&Value::Nil), Err(BrokerError::Refused));
        assert_eq!(read_claimed(&Value::Array(Vec::new())), Err(BrokerError::Refused));
    }

    #[test]
    fn only_a_higher_fence_beats_a_reassertion() {
        let read =
            |words: &[&str]| read_reasserted(&Value::Array(words.iter().map(|word| text(word)).collect()));
        let session = SessionId::from_bytes([5; 12]);
        let previous = PreviousOwner {
            node: NodeId::new("n1").unwrap(),
            session,
        };
        assert_eq!(read(&["1"]), Ok(Reasserted::Outdone(1)));
        assert_eq!(read(&["0", "", "", ""]), Ok(Reasserted::WasMissing));
        let found = |state| read(&["0", "n1", &session.to_string(), state]);
        assert_eq!(found("detached"), Ok(Reasserted::Stands(None)));
        assert_eq!(found("attached"), Ok(Reasserted::Stands(Some(previous))));
        for words in [&["x"][..], &[], &["2", "n1", "s", "attached"], &["0", "n1"]] {
            assert_eq!(read(words), Err(BrokerError::Refused));
        }
        assert_eq!(read_reasserted(&Value::Int(1)), Err(BrokerError::Refused));
    }
}
