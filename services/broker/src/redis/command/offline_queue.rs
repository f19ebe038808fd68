//! The offline queue of a peer: arguments and answers of the scripts that store, read and remove messages, and
//! of the one that touches the record.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};
use switchboard_core::{
    BrokerError, OFFLINE_QUEUE_BYTES, OFFLINE_QUEUE_BYTES_PER_SENDER, OFFLINE_QUEUE_MESSAGES,
    OFFLINE_QUEUE_MESSAGES_PER_SENDER, STORED_OVERHEAD_BYTES, StoreOutcome, StoredMessage,
};
use switchboard_protocol::{NodeId, PeerKey, SessionId};

use super::{
    super::{periods::millis, scripts::Script},
    caller::{Caller, session_text},
    script_call::Force,
};
use crate::partition::Partition;

/// What a tenant holds ends in buckets of this length: they are few, and each counts a bit longer than its messages.
const HOLD_BUCKET: Duration = Duration::from_secs(10);

/// The answer of the script that stores a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreReply {
    /// There is no record.
    NoRecord,
    /// The peer is attached to this incarnation of this node.
    Attached { node: NodeId, incarnation: String },
    /// Stored now or earlier, for this long; the record names this node, or none.
    Queued {
        lasts: Duration,
        node: String,
        wakes: bool,
    },
    /// The tenant is to be charged for the hold first.
    NeedsCharge,
    /// Nothing else has to be read.
    Final(StoreOutcome),
}

/// Stores `message`; `is_charged`: its tenant was charged for the hold.
pub(crate) fn write_store(
    caller: &Caller,
    message: &StoredMessage,
    force: &Force,
    is_charged: bool,
    with_source: bool,
) -> Cmd {
    let (force, dead_incarnation) = match force {
        Force::No => (0_u8, ""),
        Force::Urgent => (1, ""),
        Force::OwnerIsDead(incarnation) => (2, incarnation.as_str()),
    };
    // Where Redis is short of memory, only messages that are stored already have an answer other than "full".
    let has_room = caller.memory.take(message.envelope.len());
    let most_messages = if has_room { OFFLINE_QUEUE_MESSAGES } else { 0 };
    let mut command = caller.on_record_queue_and_ends(Script::Store, &message.to, with_source);
    command
        .arg(session_text(message.mid.session))
        .arg(format!("{:020}", message.id))
        .arg(format!("{:020}", message.prev.unwrap_or_default()))
        .arg(force)
        .arg(&message.envelope)
        .arg(most_messages)
        .arg(OFFLINE_QUEUE_BYTES)
        .arg(millis(message.window))
        .arg(dead_incarnation)
        .arg(message.from.as_str())
        .arg(OFFLINE_QUEUE_MESSAGES_PER_SENDER)
        .arg(OFFLINE_QUEUE_BYTES_PER_SENDER)
        .arg(millis(message.hold.map_or(Duration::ZERO, |hold| hold.time)))
        .arg(u8::from(is_charged))
        .arg(u8::from(message.is_first));
    command
}

/// Charges the sender's tenant for the hold of `message`.
pub(crate) fn write_charge_hold(caller: &Caller, message: &StoredMessage, with_source: bool) -> Cmd {
    let mut command = caller.scripts.call(Script::ChargeHold, 1, with_source);
    let (tenant, hold) = (message.from.tenant(), message.hold);
    command
        .arg(caller.names.held(Partition::of(tenant), tenant))
        .arg(message.envelope.len() + STORED_OVERHEAD_BYTES)
        .arg(millis(hold.map_or(Duration::ZERO, |hold| hold.time)))
        .arg(hold.map_or(0, |hold| hold.tenant_bytes))
        .arg(HOLD_BUCKET.as_secs());
    command
}

/// Reads whether the charge fits.
pub(crate) fn read_charge_hold(reply: &Value) -> Result<bool, BrokerError> {
    redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)
}

/// Reads the answer of a store.
pub(crate) fn read_store(reply: &Value) -> Result<StoreReply, BrokerError> {
    let words: Vec<String> = redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words[..] {
        ["offline"] => StoreReply::NoRecord,
        ["attached", node, incarnation] => StoreReply::Attached {
            node: NodeId::new(node).map_err(|_| BrokerError::Refused)?,
            incarnation: incarnation.to_owned(),
        },
        ["queued", lasts_ms, node, wakes] => StoreReply::Queued {
            lasts: Duration::from_millis(lasts_ms.parse().unwrap_or_default()),
            node: node.to_owned(),
            wakes: wakes == "1",
        },
        ["hold"] => StoreReply::NeedsCharge,
        ["delivered"] => StoreReply::Final(StoreOutcome::Delivered),
        ["late"] => StoreReply::Final(StoreOutcome::Late),
        ["gap"] => StoreReply::Final(StoreOutcome::Gap),
        ["full"] => StoreReply::Final(StoreOutcome::Full),
        _ => return Err(BrokerError::Refused),
    })
}

/// Reads the stored messages of a peer that `session` owns.
pub(crate) fn write_read(caller: &Caller, key: &PeerKey, session: SessionId, with_source: bool) -> Cmd {
    let mut command = caller.on_record_and_queue(Script::ReadOfflineQueue, key, with_source);
    caller.identify(&mut command, session);
    command
}

/// The stored messages, oldest first.
pub(crate) fn read_messages(reply: Value) -> Result<Vec<Bytes>, BrokerError> {
    let messages: Vec<Vec<u8>> = redis::from_redis_value(reply).map_err(|_| BrokerError::Refused)?;
    Ok(messages.into_iter().map(Bytes::from).collect())
}

/// Removes the oldest `messages`, `bytes` in all.
pub(crate) fn write_remove(
    caller: &Caller,
    key: &PeerKey,
    session: SessionId,
    (messages, bytes): (usize, usize),
    with_source: bool,
) -> Cmd {
    let mut command = caller.on_record_and_queue(Script::RemoveStored, key, with_source);
    caller.identify(&mut command, session);
    command.arg(messages).arg(bytes);
    command
}

/// Touches the record: the client of `session` answered a probe.
pub(crate) fn write_touch(caller: &Caller, key: &PeerKey, session: SessionId, with_source: bool) -> Cmd {
    let mut command = caller.on_record(Script::Touch, key, with_source);
    caller.identify(&mut command, session);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(words: &[&str]) -> Value {
        let words = words.iter().map(|word| Value::BulkString((*word).into()));
        Value::Array(words.collect())
    }

    #[test]
    fn each_answer_of_a_store_is_read() {
        let final_ = StoreReply::Final;
        for (words, read) in [
            (&["offline"][..], StoreReply::NoRecord),
            (&["delivered"], final_(StoreOutcome::Delivered)),
            (&["late"], final_(StoreOutcome::Late)),
            (&["gap"], final_(StoreOutcome::Gap)),
            (&["full"], final_(StoreOutcome::Full)),
            (
                &["attached", "n1", "run"],
                StoreReply::Attached {
                    node: NodeId::new("n1").unwrap(),
                    incarnation: "run".into(),
                },
            ),
            (
                &["queued", "1500", "n1", "0"],
                StoreReply::Queued {
                    lasts: Duration::from_millis(1500),
                    node: "n1".into(),
                    wakes: false,
                },
            ),
            (&["hold"], StoreReply::NeedsCharge),
            (
                &["queued", "1500", "", "1"],
                StoreReply::Queued {
                    lasts: Duration::from_millis(1500),
                    node: String::new(),
                    wakes: true,
                },
            ),
        ] {
            assert_eq!(read_store(&reply(words)), Ok(read));
        }
    }

    #[test]
    fn a_time_to_live_that_is_over_is_zero() {
        // PTTL answers -1 or -2 for a key without one.
        let queued = read_store(&reply(&["queued", "-2", "n1", "0"]));
        assert!(matches!(
            queued,
            Ok(StoreReply::Queued {
                lasts: Duration::ZERO,
                ..
            })
        ));
    }

    #[test]
    fn other_answers_of_a_store_are_refused() {
        for words in [
            &[][..],
            &["offline", "x"],
            &["queued"],
            &["attached", "no/node", "run"],
            &["x"],
        ] {
            assert_eq!(read_store(&reply(words)), Err(BrokerError::Refused), "{words:?}");
        }
        assert_eq!(read_store(&Value::Nil).ok(), None);
    }

    #[test]
    fn stored_messages_keep_their_order() {
        assert_eq!(read_messages(reply(&["a", "b"])).unwrap(), ["a", "b"]);
        assert_eq!(read_messages(Value::Okay), Err(BrokerError::Refused));
    }
}
