//! The send queue: its bounds in messages and bytes, its messages in flight, and its snapshot.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
use futures_util::task::noop_waker_ref;
use switchboard_protocol::{CloseCode, ErrorCode, Event, MessageId, MessageKind, Mid, NodeId, SessionId};
use switchboard_telemetry::{MessageSpan, Telemetry};

use super::harness::{CountingWaker, key};
use crate::{
    AckTo, Delivery, Limits, Outgoing, SessionSnapshot, Unacked,
    receive::{
        in_flight::StoredBatch,
        send_queue::{OfferOutcome, SendQueue},
    },
};

const ALICE: SessionId = SessionId::from_bytes([1; 12]);

const fn mid(id: u64) -> Mid {
    Mid {
        session: ALICE,
        id: MessageId::Client(id),
    }
}

fn delivery(id: MessageId, bytes: usize) -> Delivery {
    Delivery {
        kind: MessageKind::Offer,
        from: key("alice"),
        room: None,
        mid: Mid { session: ALICE, id },
        seq: 0,
        payload: Bytes::from(vec![b'1'; bytes]),
        ack: AckTo::Local,
        is_stored: false,
        span: MessageSpan::default(),
    }
}

#[test]
fn a_client_that_reads_none_of_its_answers_may_not_ask_for_more() {
    let limits = Limits::default();
    let mut queue = SendQueue::default();
    let mut cx = Context::from_waker(noop_waker_ref());
    let error = || Event::Error {
        id: None,
        code: ErrorCode::BadFrame,
        message: "x".repeat(200).into(),
        retry_after_ms: None,
    };
    let mut answers = 0;
    while queue.has_room_for_answers(&limits) {
        queue.push(Outgoing::Event(Box::new(error())));
        answers += 1;
    }
    assert!((100..1_000).contains(&answers), "{answers}");
    assert!(queue.poll_next(&mut cx).is_ready());
    assert!(queue.has_room_for_answers(&limits), "it reads on");
    while queue.poll_next(&mut cx).is_ready() {}
    let receipts = (0..).take_while(|id| {
        queue.push(Outgoing::Delivered(*id));
        queue.has_room_for_answers(&limits)
    });
    assert_eq!(
        receipts.count() + 1,
        limits.pending_messages,
        "receipts of a full outbox"
    );
}

/// A queue and its bounds.
struct Queue {
    queue: SendQueue,
    limits: Limits,
}

impl Queue {
    fn new(messages: usize, bytes: usize) -> Self {
        let limits = Limits {
            send_queue_messages: messages,
            send_queue_bytes: bytes,
            ..Limits::default()
        };
        Self {
            queue: SendQueue::default(),
            limits,
        }
    }

    fn offer(&mut self, id: u64, bytes: usize) -> OfferOutcome {
        self.offer_as(delivery(MessageId::Client(id), bytes))
    }

    fn offer_as(&mut self, delivery: Delivery) -> OfferOutcome {
        self.queue.offer(delivery, None, &self.limits, Instant::now()).0
    }

    fn poll(&mut self) -> Poll<Outgoing> {
        self.queue.poll_next(&mut Context::from_waker(noop_waker_ref()))
    }

    /// Takes the next message for the socket; returns its number.
    fn take(&mut self) -> u64 {
        match self.poll() {
            Poll::Ready(Outgoing::Delivery(delivery)) => delivery.seq,
            other @ (Poll::Ready(_) | Poll::Pending) => panic!("not a message: {other:?}"),
        }
    }

    fn done(&mut self, seq: u64) -> usize {
        std::iter::from_fn(|| self.queue.take_done(seq)).count()
    }
}

#[test]
fn messages_are_bounded_until_they_are_done() {
    let mut queue = Queue::new(2, 1000);
    assert_eq!(queue.offer(1, 1), OfferOutcome::Queued);
    assert_eq!(queue.offer(2, 1), OfferOutcome::Queued);
    assert_eq!(queue.offer(3, 1), OfferOutcome::Busy);
    assert_eq!(queue.take(), 1);
    assert_eq!(queue.offer(3, 1), OfferOutcome::Busy, "taken is not done");
    assert_eq!(queue.done(1), 1);
    assert_eq!(queue.offer(3, 1), OfferOutcome::Queued);
}

#[test]
fn bytes_are_bounded_to_the_last_one_and_come_back_when_done() {
    let mut queue = Queue::new(100, 10);
    assert_eq!(queue.offer(1, 6), OfferOutcome::Queued);
    assert_eq!(queue.offer(2, 5), OfferOutcome::Busy);
    assert_eq!(queue.offer(2, 4), OfferOutcome::Queued, "exactly full");
    assert_eq!(queue.queue.bytes(), 10);
    assert_eq!(queue.offer(3, 1), OfferOutcome::Busy);
    assert_eq!(queue.take(), 1);
    assert_eq!(queue.queue.bytes(), 10, "taken is not done");
    assert_eq!(queue.done(1), 1);
    assert_eq!(queue.queue.bytes(), 4);
    assert_eq!(queue.offer(3, 6), OfferOutcome::Queued);
}

#[test]
fn an_empty_queue_takes_a_message_of_any_size() {
    let mut queue = Queue::new(100, 10);
    assert_eq!(queue.offer(1, 11), OfferOutcome::Queued);
    assert_eq!(queue.offer(2, 0), OfferOutcome::Busy);
}

#[test]
fn stored_messages_and_own_events_do_not_count_against_the_bound() {
    let mut queue = Queue::new(1, 10);
    assert_eq!(queue.offer(1, 1), OfferOutcome::Queued);
    let stored = Delivery {
        is_stored: true,
        ..delivery(MessageId::Client(2), 20)
    };
    assert_eq!(queue.offer_as(stored), OfferOutcome::Queued);
    assert!(queue.queue.push(Outgoing::Delivered(7)).is_none());
    assert_eq!(queue.queue.waiting(), 3);
    assert_eq!((queue.take(), queue.take()), (1, 2));
    assert!(matches!(queue.poll(), Poll::Ready(Outgoing::Delivered(7))));
    assert!(queue.poll().is_pending());
    assert_eq!(queue.queue.waiting(), 0);
}

#[test]
fn done_completes_all_up_to_its_number_and_none_after_it() {
    let mut queue = Queue::new(100, 1000);
    for id in 1..=4 {
        assert_eq!(queue.offer(id, 1), OfferOutcome::Queued);
        assert_eq!(queue.take(), id);
    }
    assert_eq!(queue.done(0), 0);
    assert_eq!(queue.done(2), 2);
    assert_eq!(queue.done(2), 0);
    assert_eq!(queue.offer(2, 1), OfferOutcome::AlreadyDone);
    assert_eq!(queue.offer(3, 1), OfferOutcome::AlreadyQueued);
    assert_eq!(queue.done(9), 2);
}

#[test]
fn only_the_oldest_message_in_flight_can_be_refused() {
    let mut queue = Queue::new(100, 1000);
    for id in 1..=2 {
        assert_eq!(queue.offer(id, 1), OfferOutcome::Queued);
        queue.take();
    }
    assert!(queue.queue.take_refused(2).is_none());
    let refused = queue.queue.take_refused(1);
    assert!(refused.is_some_and(|sent| sent.mid == mid(1)));
    assert_eq!(queue.offer(1, 1), OfferOutcome::Late, "as if never accepted");
    assert_eq!(queue.queue.bytes(), 1);
}

#[test]
fn a_message_in_flight_is_stuck_only_while_the_queue_is_full() {
    let mut queue = Queue::new(2, 10);
    let limits = queue.limits.clone();
    assert_eq!(queue.offer(1, 4), OfferOutcome::Queued);
    queue.take();
    assert_eq!(queue.queue.stuck_at(&limits), None);
    assert_eq!(queue.offer(2, 4), OfferOutcome::Queued);
    assert_eq!(queue.queue.stuck_at(&limits), Some(1), "full of messages");
    queue.take();
    assert_eq!(queue.done(1), 1);
    assert_eq!(queue.queue.stuck_at(&limits), None);
    assert_eq!(queue.offer(3, 6), OfferOutcome::Queued);
    assert_eq!(queue.queue.stuck_at(&limits), Some(2), "full of bytes");
    let mut waiting = Queue::new(1, 10);
    assert_eq!(waiting.offer(1, 1), OfferOutcome::Queued);
    assert_eq!(
        waiting.queue.stuck_at(&limits),
        None,
        "the socket has not taken it"
    );
}

#[test]
fn exactly_full_of_bytes_is_stuck_even_with_room_for_messages() {
    let mut queue = Queue::new(100, 10);
    let limits = queue.limits.clone();
    assert_eq!(queue.offer(1, 9), OfferOutcome::Queued);
    queue.take();
    assert_eq!(queue.queue.stuck_at(&limits), None);
    assert_eq!(queue.offer(2, 1), OfferOutcome::Queued);
    assert_eq!(queue.queue.stuck_at(&limits), Some(1));
}

#[test]
fn a_closing_queue_writes_what_waits_then_closes_with_the_first_code() {
    let mut queue = Queue::new(100, 1000);
    assert_eq!(queue.offer(1, 1), OfferOutcome::Queued);
    queue.queue.close(CloseCode::Replaced);
    queue.queue.close(CloseCode::Normal);
    assert_eq!(queue.offer(2, 1), OfferOutcome::Closed);
    assert_eq!(queue.take(), 1);
    assert!(matches!(
        queue.poll(),
        Poll::Ready(Outgoing::Close(CloseCode::Replaced))
    ));
}

#[test]
fn an_abandoned_queue_returns_undone_messages_and_accepts_nothing_more() {
    let mut queue = Queue::new(100, 1000);
    for id in 1..=3 {
        assert_eq!(queue.offer(id, 1), OfferOutcome::Queued);
    }
    assert_eq!(
        queue.offer_as(delivery(MessageId::Node(1), 1)),
        OfferOutcome::Queued
    );
    assert_eq!((queue.take(), queue.take()), (1, 2));
    assert_eq!(queue.done(1), 1);
    let undelivered = queue.queue.abandon();
    let tail = Unacked {
        seq: 2,
        sender: ALICE,
        id: 2,
    };
    assert_eq!(undelivered.snapshot.last_seq, 2);
    assert_eq!(undelivered.snapshot.tail, [tail]);
    assert_eq!(undelivered.snapshot.accepted.len(), 1);
    let undone: Vec<_> = undelivered.undone.iter().map(|(mid, _)| mid.id).collect();
    let client = MessageId::Client;
    assert_eq!(undone, [client(2), client(3), MessageId::Node(1)]);
    assert_eq!(queue.offer(4, 1), OfferOutcome::Closed);
    assert!(queue.queue.push(Outgoing::Delivered(1)).is_none());
    assert_eq!(queue.queue.waiting(), 0);
}

#[test]
fn numbers_continue_after_a_resume_from_the_larger_of_written_and_seen() {
    for (last_seq, seen, next) in [(5, 3, 6), (3, 5, 6)] {
        let mut queue = Queue::new(100, 1000);
        let snapshot = SessionSnapshot {
            last_seq,
            ..SessionSnapshot::default()
        };
        queue.queue.restore(snapshot, seen, Instant::now());
        assert_eq!(queue.offer(1, 1), OfferOutcome::Queued);
        assert_eq!(queue.take(), next);
    }
}

#[test]
fn a_batch_of_the_offline_queue_is_complete_with_its_last_message() {
    let mut queue = Queue::new(100, 1000);
    for id in 1..=3 {
        let stored = Delivery {
            is_stored: id != 2,
            ..delivery(MessageId::Client(id), 1)
        };
        assert_eq!(queue.offer_as(stored), OfferOutcome::Queued);
        queue.take();
    }
    let batch = StoredBatch {
        open: 2,
        messages: 5,
        bytes: 77,
    };
    assert!(!queue.queue.has_stored_batch());
    queue.queue.begin_stored_batch(batch);
    assert!(queue.queue.has_stored_batch());
    let mut complete = |seq| {
        let sent = queue.queue.take_done(seq).unwrap();
        queue.queue.complete_stored(&sent)
    };
    assert_eq!(complete(1), None);
    assert_eq!(complete(2), None, "not of the offline queue");
    let expected = StoredBatch { open: 0, ..batch };
    assert_eq!(complete(3), Some(expected));
    assert!(!queue.queue.has_stored_batch());
}

#[test]
fn a_message_on_its_way_is_marked_as_stored_once_and_acknowledged_to_the_last_node() {
    let node = AckTo::Node(NodeId::new("n2").unwrap());
    for is_in_flight in [false, true] {
        let mut queue = Queue::new(100, 1000);
        for id in 1..=2 {
            assert_eq!(queue.offer(id, 1), OfferOutcome::Queued);
        }
        if is_in_flight {
            assert_eq!((queue.take(), queue.take()), (1, 2));
        }
        assert!(queue.queue.mark_stored(mid(2), node.clone()));
        assert!(!queue.queue.mark_stored(mid(2), node.clone()), "marked before");
        assert!(!queue.queue.mark_stored(mid(3), node.clone()), "not here");
        if !is_in_flight {
            assert_eq!((queue.take(), queue.take()), (1, 2));
        }
        queue.queue.begin_stored_batch(StoredBatch {
            open: 1,
            messages: 1,
            bytes: 1,
        });
        let first = queue.queue.take_done(2).unwrap();
        assert_eq!(
            (&first.ack, queue.queue.complete_stored(&first)),
            (&AckTo::Local, None)
        );
        let second = queue.queue.take_done(2).unwrap();
        assert_eq!(second.ack, node);
        assert!(queue.queue.complete_stored(&second).is_some());
    }
}

#[test]
fn the_connection_is_woken_once_by_the_first_thing_that_comes() {
    let mut queue = Queue::new(100, 1000);
    let (first, second) = (Arc::<CountingWaker>::default(), Arc::<CountingWaker>::default());
    for counter in [&first, &second] {
        let waker = Waker::from(Arc::clone(counter));
        assert!(
            queue
                .queue
                .poll_next(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    let now = Instant::now();
    let limits = queue.limits.clone();
    let (_, woken) = queue
        .queue
        .offer(delivery(MessageId::Client(1), 1), None, &limits, now);
    woken.unwrap().wake();
    let woken = [&first, &second].map(|counter| counter.count());
    assert_eq!(woken, [0, 1], "the task that polled last");
    let event = Outgoing::Event(Box::new(Event::Pong { id: None, time_ms: 1 }));
    assert!(queue.queue.push(event).is_none(), "woken already");
    assert!(queue.queue.take_waker().is_none());
}

#[test]
fn a_delivery_has_a_span_only_when_it_is_traced() {
    let telemetry = Telemetry::new("n1");
    let (kind, payload) = (MessageKind::Offer, Bytes::from_static(b"1"));
    let delivery = Delivery::new(
        &telemetry,
        &key("alice"),
        mid(1),
        kind,
        payload,
        AckTo::Nobody,
        None,
    );
    assert!(delivery.span.context().is_none());
    assert_eq!((delivery.seq, delivery.is_stored), (0, false));
}

#[test]
fn an_idle_queue_keeps_little_room() {
    let mut queue = Queue::new(100, 1000);
    for (messages, kept) in [(4, 4), (8, 8), (20, 0)] {
        for _ in 0..messages {
            assert!(queue.queue.push(Outgoing::Delivered(1)).is_none());
        }
        (0..messages).for_each(|_| assert!(queue.poll().is_ready()));
        assert_eq!(queue.queue.capacity(), kept, "after {messages}");
    }
}
