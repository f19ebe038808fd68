//! The sends that have no final word yet, and which of them this connection has written. Not the socket:
//! that asks here for the next text when it can take one.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use switchboard_protocol::{MessageKind, encode_send};

/// A send without a final word.
#[derive(Debug)]
pub(super) struct Unfinished {
    id: u64,
    kind: MessageKind,
    to: String,
    payload: Box<RawValue>,
    /// Whether any connection was given it: it may have arrived.
    transmitted: bool,
    /// Whether the application was told that it waits at the node.
    queued: bool,
}

impl Unfinished {
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

/// The sends that have no final word yet. As many as [`crate::Session::send`] lets in.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    unfinished: BTreeMap<u64, Unfinished>,
    /// The newest id that the current connection was given.
    written: u64,
}

impl Outbox {
    pub(super) fn keep(&mut self, send: Unfinished) {
        self.unfinished.insert(send.id, send);
    }

    /// The text of the oldest send that the current connection was not given; it counts as given now.
    pub(super) fn next_text(&mut self) -> Option<String> {
        let (id, send) = self.unfinished.range_mut(self.written + 1..).next()?;
        self.written = *id;
        send.transmitted = true;
        Some(encode_send(send.kind, &send.to, Some(*id), &send.payload))
    }

    /// A new connection: all unfinished sends are to be given to it, in their order.
    pub(super) fn repeat_all(&mut self) {
        self.written = 0;
    }

    /// Whether the application is to hear now that `id` waits at the node.
    pub(super) fn queued(&mut self, id: u64) -> bool {
        self.unfinished
            .get_mut(&id)
            .is_some_and(|send| !std::mem::replace(&mut send.queued, true))
    }

    /// `id` has its final word. False when it had one before, or never was.
    pub(super) fn finish(&mut self, id: u64) -> bool {
        self.unfinished.remove(&id).is_some()
    }

    /// Takes out the sends that a connection was given, or those that none was; their ids, ascending.
    pub(super) fn take(&mut self, transmitted: bool) -> Vec<u64> {
        self.unfinished
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
            outbox.keep(Unfinished::new(id, MessageKind::Message, "bob", payload));
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
    fn what_has_no_final_word_is_given_to_each_connection_once_and_in_order() {
        let mut outbox = outbox(1..=4);
        assert_eq!(ids(&mut outbox), [1, 2, 3, 4]);
        assert!(outbox.finish(2));
        assert!(ids(&mut outbox).is_empty());
        outbox.repeat_all();
        assert_eq!(ids(&mut outbox), [1, 3, 4]);
    }

    #[test]
    fn a_second_final_word_is_none() {
        let mut outbox = outbox([1]);
        assert!(outbox.finish(1));
        assert!(!outbox.finish(1));
        assert!(!outbox.finish(9));
    }

    #[test]
    fn what_was_given_to_a_connection_is_told_from_what_was_not() {
        let mut outbox = outbox([1, 2, 3]);
        outbox.next_text().unwrap();
        assert_eq!(outbox.take(true), [1]);
        assert_eq!(outbox.take(false), [2, 3]);
        assert!(ids(&mut outbox).is_empty());
    }

    #[test]
    fn waiting_at_the_node_is_told_once() {
        let mut outbox = outbox([1]);
        assert!(outbox.queued(1));
        assert!(!outbox.queued(1));
        assert!(!outbox.queued(2));
    }
}
