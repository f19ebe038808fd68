//! When streams run: the earliest first, never before its instant, and sooner when an earlier one comes.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use switchboard_protocol::SessionId;

use super::harness::{account, key};
use crate::{
    Session,
    send::schedule::{LOOK_EVERY, Schedule, StreamRef},
};

const MS: Duration = Duration::from_millis(1);

fn stream(to: &str) -> StreamRef {
    let session: Arc<Session> = Session::new(
        key("alice"),
        SessionId::from_bytes([1; 12]),
        1,
        0,
        1,
        account("alice"),
    );
    let sender: Weak<Session> = Arc::downgrade(&session);
    StreamRef {
        sender,
        to: key(to),
        number: 1,
    }
}

#[test]
fn streams_are_due_at_their_instant_the_earliest_first() {
    let (schedule, now) = (Schedule::default(), Instant::now());
    assert_eq!(schedule.take_due(now).err(), Some(None));
    for (to, after) in [("bob", 3), ("carol", 1), ("dave", 2)] {
        schedule.arm(now + after * MS, stream(to));
    }
    assert_eq!(schedule.take_due(now).err(), Some(Some(now + MS)));
    let taken = [1, 2, 3].map(|after| schedule.take_due(now + after * MS).unwrap().to);
    assert_eq!(taken, ["carol", "dave", "bob"].map(key));
    assert_eq!(schedule.take_due(now + 9 * MS).err(), Some(None));
}

#[tokio::test]
async fn an_earlier_stream_interrupts_the_wait_for_a_later_one() {
    let schedule = Schedule::default();
    schedule.arm(Instant::now() + Duration::from_secs(3600), stream("late"));
    let arm = async {
        tokio::time::sleep(20 * MS).await;
        schedule.arm(Instant::now() + 20 * MS, stream("soon"));
    };
    let (next, ()) = tokio::join!(schedule.next(), arm);
    assert_eq!(next.to, key("soon"));
}

#[tokio::test]
async fn an_empty_schedule_waits_for_its_first_stream_and_never_runs_it_early() {
    let schedule = Schedule::default();
    let at = Instant::now() + 30 * MS;
    let arm = async {
        tokio::time::sleep(10 * MS).await;
        schedule.arm(at, stream("bob"));
    };
    let (next, ()) = tokio::join!(schedule.next(), arm);
    assert_eq!(next.to, key("bob"));
    assert!(Instant::now() >= at);
}

#[tokio::test]
async fn streams_that_are_due_soon_after_each_other_share_a_look() {
    let schedule = Schedule::default();
    let look_ended = Instant::now();
    for (to, after) in [("bob", 1), ("carol", 2), ("dave", 3)] {
        schedule.arm(look_ended + after * MS, stream(to));
    }
    schedule.until_next_look().await;
    let now = Instant::now();
    assert!(now >= look_ended + LOOK_EVERY);
    let taken = [(); 3].map(|()| schedule.take_due(now).unwrap().to);
    assert_eq!(taken, ["bob", "carol", "dave"].map(key));
}
