//! The sends without an outcome, and which of them the current connection was given. Not here: the socket, which
//! takes the next text when it has room.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use switchboard_protocol::{Command, MessageKind, SendCommand, SendTarget, encode_command};

/// A send without an outcome.
#[derive(Debug)]
pub(super) struct PendingSend {
    id: u64,
    kind: MessageKind,
    to: String,
    payload: Box<RawValue>,
    /// Whether a connection was given it. If so, it may have arrived.
    transmitted: bool,
    /// Whether the application knows that the message waits for its receiver.
    queued: bool,
}

impl PendingSend {
    pub(super) fn new(id: u64, kind: MessageKind, to: &str, payload: Box<RawValue>) -> Self {
        Self {
            id,
            kind,
            to: to.to_owned(),
            payload,
            transmitted: false,
            queued: false,
        }
    }
}

/// The sends without an outcome. [`crate::Session::send`] bounds their number.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pending: BTreeMap<u64, PendingSend>,
    /// The highest id that the current connection was given.
    last_written: u64,
}

impl Outbox {
    pub(super) fn insert(&mut self, send: PendingSend) {
        self.pending.insert(send.id, send);
    }

    /// The text of the oldest send that the current connection was not given. It then counts as given.
    pub(super) fn next_text(&mut self) -> Option<String> {
        let (id, send) = self.pending.range_mut(self.last_written + 1..).next()?;
        self.last_written = *id;
        send.transmitted = true;
        Some(encode_command(&Command::Send(SendCommand {
            kind: send.kind,
            to: SendTarget::Peer(send.to.as_str().into()),
            payload: &send.payload,
            id: Some(*id),
            hold_ms: None,
        })))
    }

    /// Starts again at the oldest send, for a new connection.
    pub(super) fn rewind(&mut self) {
        self.last_written = 0;
    }

    /// Notes that `id` waits for its receiver. Returns whether this is new.
    pub(super) fn mark_queued(&mut self, id: u64) -> bool {
        self.pending
            .get_mut(&id)
            .is_some_and(|send| !std::mem::replace(&mut send.queued, true))
    }

    /// Removes `id`, which has its outcome. Returns false if it is not there.
    pub(super) fn finish(&mut self, id: u64) -> bool {
        self.pending.remove(&id).is_some()
    }

    /// Removes the sends that a connection was given, or those that none was given. Returns their ids, ascending.
    pub(super) fn remove_all(&mut self, transmitted: bool) -> Vec<u64> {
        self.pending
            .extract_if(.., |_, send| send.transmitted == transmitted)
            .map(|(id, _)| id)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(ids: impl IntoIterator<Item = u64>) -> Outbox {
        let mut outbox = Outbox::default();
        for id in ids {
            let payload = RawValue::from_string("1".into()).unwrap();
            outbox.insert(PendingSend::new(id, MessageKind::Message, "bob", payload));
        }
        outbox
    }

    fn ids(outbox: &mut Outbox) -> Vec<u64> {
        std::iter::from_fn(|| outbox.next_text())
            .map(|text| {
                serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"]
                    .as_u64()
                    .unwrap()
            })
            .collect()
    }

    #[test]
    fn sends_without_an_outcome_go_to_each_connection_once_and_in_order() {
        let mut outbox = outbox(1..=4);
        assert_eq!(ids(&mut outbox), [1, 2, 3, 4]);
        assert!(outbox.finish(2));
        assert!(ids(&mut outbox).is_empty());
        outbox.rewind();
        assert_eq!(ids(&mut outbox), [1, 3, 4]);
    }

    #[test]
    fn a_second_outcome_is_ignored() {
        let mut outbox = outbox([1]);
        assert!(outbox.finish(1));
        assert!(!outbox.finish(1));
        assert!(!outbox.finish(9));
    }

    #[test]
    fn sends_that_a_connection_was_given_are_removed_apart_from_the_others() {
        let mut outbox = outbox([1, 2, 3]);
        outbox.next_text().unwrap();
        assert_eq!(outbox.remove_all(true), [1]);
        assert_eq!(outbox.remove_all(false), [2, 3]);
        assert!(ids(&mut outbox).is_empty());
    }

    #[test]
    fn queued_is_reported_once() {
        let mut outbox = outbox([1]);
        assert!(outbox.mark_queued(1));
        assert!(!outbox.mark_queued(1));
        assert!(!outbox.mark_queued(2));
    }
}
