//! The requests without an answer, and which of them the current connection was given. Not here: the socket, which
//! takes the next text when it has room.

use std::collections::BTreeMap;

use super::request::Request;

/// A request without an answer.
#[derive(Debug)]
struct Pending {
    request: Request,
    /// Whether a permit of the session waits for the answer.
    has_permit: bool,
    /// Whether a connection was given it. If so, it may have arrived.
    transmitted: bool,
    /// Whether the application knows that the message waits for its receiver.
    queued: bool,
}

/// A request that has its answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) request: Request,
    /// Whether a permit of the session waits for the answer.
    pub(super) has_permit: bool,
}

/// The requests without an answer. The session's permits bound their number, together with its standing requests.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pending: BTreeMap<u64, Pending>,
    /// The highest id that the current connection was given.
    last_written: u64,
}

impl Outbox {
    /// A new request, which has a permit.
    pub(super) fn insert(&mut self, id: u64, request: Request) {
        self.insert_pending(id, request, true);
    }

    /// A request that had its answer before, for a new session. Its permit was released with that answer.
    pub(super) fn insert_again(&mut self, id: u64, request: Request) {
        self.insert_pending(id, request, false);
    }

    fn insert_pending(&mut self, id: u64, request: Request, has_permit: bool) {
        let pending = Pending {
            request,
            has_permit,
            transmitted: false,
            queued: false,
        };
        self.pending.insert(id, pending);
    }

    /// The text of the oldest request that the current connection was not given. It then counts as given.
    pub(super) fn next_text(&mut self) -> Option<String> {
        let (id, pending) = self.pending.range_mut(self.last_written + 1..).next()?;
        self.last_written = *id;
        pending.transmitted = true;
        Some(pending.request.text(*id))
    }

    /// Starts again at the oldest request, for a new connection.
    pub(super) fn rewind(&mut self) {
        self.last_written = 0;
    }

    /// Notes that `id` waits for its receiver. Returns whether this is new.
    pub(super) fn mark_queued(&mut self, id: u64) -> bool {
        self.pending
            .get_mut(&id)
            .is_some_and(|pending| !std::mem::replace(&mut pending.queued, true))
    }

    /// Whether `id` is a send without an outcome.
    pub(super) fn is_send(&self, id: u64) -> bool {
        self.pending
            .get(&id)
            .is_some_and(|pending| pending.request.is_send())
    }

    /// Removes `id`, which has its answer, if it is there.
    pub(super) fn finish(&mut self, id: u64) -> Option<Answered> {
        self.pending.remove(&id).map(|pending| Answered {
            request: pending.request,
            has_permit: pending.has_permit,
        })
    }

    /// Removes the sends that a connection was given, or those that none was given. Returns their ids, ascending.
    pub(super) fn remove_sends(&mut self, transmitted: bool) -> Vec<u64> {
        self.pending
            .extract_if(.., |_, pending| {
                pending.request.is_send() && pending.transmitted == transmitted
            })
            .map(|(id, _)| id)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use switchboard_protocol::MessageKind;

    use super::*;
    use crate::session::request::Target;

    fn send() -> Request {
        Request::Send {
            kind: MessageKind::Message,
            to: Target::Peer("bob".into()),
            payload: RawValue::from_string("1".into()).unwrap(),
            hold: None,
        }
    }

    fn join() -> Request {
        Request::Join {
            room: "lobby".into(),
            info: None,
        }
    }

    fn outbox(ids: impl IntoIterator<Item = u64>) -> Outbox {
        let mut outbox = Outbox::default();
        for id in ids {
            outbox.insert(id, send());
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
        assert!(outbox.finish(2).is_some());
        assert!(ids(&mut outbox).is_empty());
        outbox.rewind();
        assert_eq!(ids(&mut outbox), [1, 3, 4]);
    }

    #[test]
    fn a_second_outcome_is_ignored() {
        let mut outbox = outbox([1]);
        assert!(outbox.finish(1).is_some());
        assert!(outbox.finish(1).is_none());
        assert!(outbox.finish(9).is_none());
    }

    #[test]
    fn sends_that_a_connection_was_given_are_removed_apart_from_the_others() {
        let mut outbox = outbox([1, 2, 3]);
        outbox.next_text().unwrap();
        assert_eq!(outbox.remove_sends(true), [1]);
        assert_eq!(outbox.remove_sends(false), [2, 3]);
        assert!(ids(&mut outbox).is_empty());
    }

    #[test]
    fn a_request_that_is_no_send_stays_until_its_answer() {
        let mut outbox = outbox([2]);
        outbox.insert(3, join());
        outbox.insert_again(1, join());
        assert_eq!(ids(&mut outbox), [1, 2, 3]);
        assert_eq!(outbox.remove_sends(true), [2]);
        outbox.rewind();
        assert_eq!(ids(&mut outbox), [1, 3]);
        assert!(!outbox.is_send(1));
        let has_permit = |outbox: &mut Outbox, id| outbox.finish(id).map(|answered| answered.has_permit);
        assert_eq!(has_permit(&mut outbox, 1), Some(false));
        assert_eq!(has_permit(&mut outbox, 3), Some(true));
    }

    #[test]
    fn queued_is_reported_once() {
        let mut outbox = outbox([1]);
        assert!(outbox.mark_queued(1));
        assert!(!outbox.mark_queued(1));
        assert!(!outbox.mark_queued(2));
    }
}
