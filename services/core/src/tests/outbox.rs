//! The outbox: order, bytes, bounds, and when each send is due.

use std::time::{Duration, Instant};

use bytes::Bytes;
use switchboard_protocol::{ErrorCode, MessageKind};
use switchboard_telemetry::Path;

use super::harness::key;
use crate::{
    Limits,
    send::{
        outbox::{Outbox, OutboxSlot},
        pending::{FIRST_RETRY_DELAY, Pending, Progress, QUEUED_MARGIN, QUEUED_RETRY_DELAY},
        stream::Stream,
    },
};

const MS: Duration = Duration::from_millis(1);

const WINDOW: Duration = Duration::from_secs(60);

fn pending(id: u64, bytes: usize, now: Instant) -> Pending {
    let payload = Bytes::from(vec![b'1'; bytes]);
    Pending::new(
        id,
        MessageKind::Offer,
        payload,
        None,
        None,
        now,
        &Limits::default(),
    )
}

fn admit(outbox: &mut Outbox, to: &str, id: u64, bytes: usize) -> (usize, bool) {
    let (_, index, new_stream) = outbox.admit(&key(to), pending(id, bytes, Instant::now()));
    (index, new_stream.is_some())
}

/// When `pending` is due, in milliseconds after `now`; `None`: at once.
fn due_ms(pending: &Pending, now: Instant) -> Option<u128> {
    match pending.progress {
        Progress::Held => None,
        Progress::Transmitted { retry_at } => Some((retry_at - now).as_millis()),
        Progress::Queued { retry_at } => retry_at.map(|at| (at - now).as_millis()),
    }
}

#[test]
fn each_repeat_waits_three_times_longer_up_to_a_second() {
    let now = Instant::now();
    let mut send = pending(1, 1, now);
    assert!(!send.was_transmitted());
    let delays = [(); 4].map(|()| {
        send.mark_transmitted(Path::Remote, now);
        due_ms(&send, now)
    });
    assert_eq!(delays, [Some(150), Some(450), Some(1000), Some(1000)]);
    assert!(send.was_transmitted());
    (0..100).for_each(|_| send.mark_transmitted(Path::Remote, now));
    assert_eq!(due_ms(&send, now), Some(1000));
}

#[test]
fn a_send_is_due_at_the_exact_instant() {
    let now = Instant::now();
    let mut send = pending(1, 1, now);
    assert!(send.is_due(now), "it was never transmitted");
    send.mark_transmitted(Path::Local, now);
    assert_eq!(send.path, Path::Local);
    assert!(!send.is_due(now + FIRST_RETRY_DELAY - MS));
    assert!(send.is_due(now + FIRST_RETRY_DELAY));
    send.mark_queued(WINDOW, 100, now);
    assert!(!send.is_due(now + QUEUED_RETRY_DELAY - MS));
    assert!(send.is_due(now + QUEUED_RETRY_DELAY));
    send.wait(ErrorCode::QueueFull);
    assert_eq!((send.is_due(now), send.at_deadline), (true, ErrorCode::Expired));
}

#[test]
fn a_send_is_urgent_from_its_third_transmission_on() {
    let now = Instant::now();
    let mut send = pending(1, 1, now);
    let urgent = [(); 4].map(|()| {
        send.mark_transmitted(Path::Remote, now);
        send.is_urgent()
    });
    assert_eq!(urgent, [false, false, true, true]);
    send.mark_queued(WINDOW, 100, now);
    assert!(!send.is_urgent(), "the offline queue has it");
    assert!(send.was_transmitted());
}

#[test]
fn a_queued_send_expires_and_outlives_the_window_by_a_margin() {
    let now = Instant::now();
    let mut send = pending(1, 1, now);
    assert_eq!(send.deadline, now + Limits::default().send_deadline);
    send.mark_transmitted(Path::Remote, now);
    assert_eq!(send.at_deadline, ErrorCode::Timeout);
    assert_eq!(send.mark_queued(WINDOW, 100, now), Some((1, 1)));
    assert_eq!(send.mark_queued(WINDOW, 100, now), None, "no news");
    assert_eq!(send.deadline, now + WINDOW + QUEUED_MARGIN);
    assert_eq!(send.at_deadline, ErrorCode::Expired);
    assert!(send.is_queued() && !send.is_only_stored());
    send.mark_transmitted(Path::Remote, now);
    assert!(!send.is_queued());
    assert_eq!(send.at_deadline, ErrorCode::Expired, "it was queued once");
}

#[test]
fn a_payload_stays_only_while_there_is_room_for_it() {
    let now = Instant::now();
    let mut fits = pending(1, 10, now);
    assert_eq!(fits.mark_queued(WINDOW, 10, now), Some((10, 10)));
    assert!(!fits.is_only_stored());
    let mut dropped = pending(1, 11, now);
    assert_eq!(dropped.mark_queued(WINDOW, 10, now), Some((11, 0)));
    assert!(dropped.is_only_stored() && !dropped.is_due(now + 2 * WINDOW));
    assert_eq!(dropped.queued_until(), Some(dropped.deadline));
}

#[test]
fn a_payload_that_was_kept_is_not_dropped_later() {
    let now = Instant::now();
    let mut send = pending(1, 10, now);
    send.mark_queued(WINDOW, 10, now);
    assert_eq!(send.mark_queued(WINDOW, 0, now), None);
    assert_eq!(send.payload.len(), 10);
}

#[test]
fn sends_stay_in_the_order_of_their_ids() {
    let mut outbox = Outbox::default();
    assert_eq!(admit(&mut outbox, "bob", 5, 1), (0, true));
    assert_eq!(admit(&mut outbox, "bob", 7, 1), (1, false));
    assert_eq!(
        admit(&mut outbox, "bob", 6, 1),
        (1, false),
        "repeated after a reconnect"
    );
    assert_eq!(admit(&mut outbox, "carol", 8, 1), (0, true));
    let stream = outbox.stream(&key("bob")).unwrap();
    let ids: Vec<_> = stream.pending.iter().map(|pending| pending.id).collect();
    assert_eq!(ids, [5, 6, 7]);
    assert_eq!(
        (stream.prev(0), stream.prev(1), stream.prev(2)),
        (None, Some(5), Some(6))
    );
    let found = [5, 6, 7, 8].map(|id| stream.find(id));
    assert_eq!(found, [Some(0), Some(1), Some(2), None]);
}

#[test]
fn a_message_whose_payload_is_only_stored_is_no_predecessor() {
    let now = Instant::now();
    let mut stream = Stream::default();
    (1..=3).for_each(|id| {
        stream.insert(pending(id, 1, now));
    });
    stream.get_mut(2).unwrap().mark_queued(WINDOW, 0, now);
    assert_eq!(stream.prev(2), Some(1));
    stream.get_mut(1).unwrap().mark_queued(WINDOW, 1, now);
    assert_eq!(stream.prev(2), Some(1), "its payload is here too");
}

#[test]
fn sends_end_at_their_deadline_and_not_before() {
    let now = Instant::now();
    let deadline = now + Limits::default().send_deadline;
    let mut stream = Stream::default();
    stream.insert(pending(1, 1, now));
    stream.insert(pending(2, 1, now + MS));
    assert_eq!(stream.overdue(deadline - MS), []);
    assert_eq!(stream.overdue(deadline), [(1, ErrorCode::Timeout)]);
    let both = [(1, ErrorCode::Timeout), (2, ErrorCode::Timeout)];
    assert_eq!(stream.overdue(deadline + MS), both);
}

#[test]
fn a_stream_sleeps_longer_only_while_everything_is_queued() {
    let now = Instant::now();
    let mut stream = Stream::default();
    assert_eq!(stream.next_if_all_queued(), None);
    stream.insert(pending(1, 1, now));
    stream.insert(pending(2, 1, now));
    stream.get_mut(1).unwrap().mark_queued(WINDOW, 0, now);
    assert_eq!(stream.next_if_all_queued(), None);
    stream.get_mut(2).unwrap().mark_queued(WINDOW, 1, now);
    assert_eq!(
        stream.next_if_all_queued(),
        Some(now + QUEUED_RETRY_DELAY),
        "the earliest"
    );
    stream
        .get_mut(2)
        .unwrap()
        .mark_queued(Duration::ZERO, 1, now + MS);
    let first = now + MS + QUEUED_RETRY_DELAY.min(QUEUED_MARGIN);
    assert_eq!(
        stream.next_if_all_queued(),
        Some(first),
        "no later than its deadline"
    );
}

#[test]
fn a_refused_message_holds_those_behind_it_and_no_other() {
    let now = Instant::now();
    let mut stream = Stream::default();
    for id in 1..=4 {
        stream.insert(pending(id, 1, now));
        stream.get_mut(id).unwrap().mark_transmitted(Path::Remote, now);
    }
    stream.get_mut(3).unwrap().mark_queued(WINDOW, 1, now);
    stream.hold_from(9, ErrorCode::QueueFull);
    assert!(!stream.is_held, "no such message");
    stream.hold_from(2, ErrorCode::QueueFull);
    assert!(stream.is_held);
    let held: Vec<_> = stream
        .pending
        .iter()
        .map(|pending| pending.progress == Progress::Held)
        .collect();
    assert_eq!(held, [false, true, false, true]);
    assert_eq!(stream.get_mut(1).unwrap().at_deadline, ErrorCode::Timeout);
    assert_eq!(stream.get_mut(4).unwrap().at_deadline, ErrorCode::QueueFull);
}

fn is_full(slot: &OutboxSlot, messages: usize, bytes: usize) -> bool {
    slot.is_full(&Limits {
        pending_messages: messages,
        pending_bytes: bytes,
        ..Limits::default()
    })
}

#[test]
fn an_outbox_is_full_of_messages_or_of_bytes_and_never_of_receivers() {
    let slot = OutboxSlot::default();
    assert!(!is_full(&slot, 1, 1));
    {
        let mut slot = slot.lock();
        let outbox = slot.get_or_insert_default();
        admit(outbox, "bob", 1, 10);
        admit(outbox, "bob", 2, 10);
        admit(outbox, "carol", 3, 10);
    }
    assert!(!is_full(&slot, 4, 31));
    assert!(is_full(&slot, 3, 31), "messages");
    assert!(is_full(&slot, 4, 30), "bytes");
    let mut streams = slot.streams();
    streams.sort_by_key(|(_, number)| *number);
    assert_eq!(streams, [(key("bob"), 1), (key("carol"), 3)]);
}

#[test]
fn bytes_come_back_with_the_outcome_and_queued_ones_do_not_count() {
    let (now, limits) = (Instant::now(), Limits::default());
    let slot = OutboxSlot::default();
    let with = |act: &dyn Fn(&mut Outbox)| act(slot.lock().get_or_insert_default());
    with(&|outbox| {
        admit(outbox, "bob", 1, 10);
        admit(outbox, "bob", 2, 20);
        assert!(outbox.mark_queued(1, WINDOW, &limits, now));
        assert!(!outbox.mark_queued(1, WINDOW, &limits, now), "no news");
        assert!(!outbox.mark_queued(9, WINDOW, &limits, now), "no such send");
    });
    assert!(is_full(&slot, 9, 20) && !is_full(&slot, 9, 21));
    with(&|outbox| {
        assert_eq!(outbox.finish(1).map(|pending| pending.id), Some(1));
        assert!(outbox.finish(1).is_none(), "it ended before");
        assert!(outbox.has(2) && !outbox.has(1));
    });
    assert!(is_full(&slot, 9, 20) && !is_full(&slot, 9, 21));
    with(&|outbox| {
        assert!(!outbox.drop_if_empty(&key("bob")));
        assert!(!outbox.is_empty());
        assert!(outbox.finish(2).is_some());
        assert!(outbox.is_empty());
        assert!(outbox.drop_if_empty(&key("bob")) && outbox.drop_if_empty(&key("bob")));
    });
    assert!(!is_full(&slot, 1, 1));
}

#[test]
fn queued_payloads_have_a_bound_of_their_own() {
    let now = Instant::now();
    let limits = Limits {
        pending_bytes: 25,
        ..Limits::default()
    };
    let mut outbox = Outbox::default();
    (1..=3).for_each(|id| {
        admit(&mut outbox, "bob", id, 10);
        assert!(outbox.mark_queued(id, WINDOW, &limits, now));
    });
    let kept = |outbox: &mut Outbox, id| {
        !outbox
            .stream_of(id)
            .unwrap()
            .get_mut(id)
            .unwrap()
            .is_only_stored()
    };
    assert_eq!([1, 2, 3].map(|id| kept(&mut outbox, id)), [true, true, false]);
    assert!(outbox.finish(1).is_some() && outbox.finish(3).is_some());
    admit(&mut outbox, "bob", 4, 15);
    assert!(outbox.mark_queued(4, WINDOW, &limits, now));
    assert!(kept(&mut outbox, 4), "there is room again, to the last byte");
}

#[test]
fn only_queued_sends_are_dropped_with_their_sender() {
    let (now, limits) = (Instant::now(), Limits::default());
    let mut outbox = Outbox::default();
    for (id, to) in [(1, "bob"), (2, "bob"), (3, "carol")] {
        admit(&mut outbox, to, id, 10);
    }
    assert!(outbox.mark_queued(1, WINDOW, &limits, now) && outbox.mark_queued(3, WINDOW, &limits, now));
    assert_eq!(outbox.drop_queued(), 2);
    assert_eq!([1, 2, 3].map(|id| outbox.has(id)), [false, true, false]);
}
