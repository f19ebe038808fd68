//! Intended moments, kept to some 60 µs by a thread of its own: tokio's timers round to a millisecond, which
//! would send in bursts and hide what a lone message costs. Not what the moments are (`schedule`).

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, error::TrySendError};

/// Moments that a taker may lag behind before they are dropped.
const LAG: usize = 4096;

/// A channel for moments; its length is how far its reader may lag behind.
pub(crate) fn channel() -> (mpsc::Sender<Duration>, mpsc::Receiver<Duration>) {
    mpsc::channel(LAG)
}

/// Gives each moment, counted from `clock`, to one of `takers` in turn when it has come. `dropped` is called for a
/// moment whose taker lags too far behind. Returns at once; the thread ends with the last moment, or when no
/// taker is left.
pub(crate) fn start(
    clock: Instant,
    moments: impl Iterator<Item = Duration> + Send + 'static,
    takers: Vec<mpsc::Sender<Duration>>,
    dropped: impl Fn() + Send + 'static,
) {
    // Owner: the channels. The thread ends with the last moment or the last taker.
    std::thread::spawn(move || pace(clock, moments, &takers, &dropped));
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, whose only work is to sleep precisely"
)]
fn pace(
    clock: Instant,
    moments: impl Iterator<Item = Duration>,
    takers: &[mpsc::Sender<Duration>],
    dropped: &dyn Fn(),
) {
    for (at, taker) in moments.zip(takers.iter().cycle()) {
        if let Some(wait) = at.checked_sub(clock.elapsed()) {
            std::thread::sleep(wait);
        }
        match taker.try_send(at) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => dropped(),
            Err(TrySendError::Closed(_)) if takers.iter().all(mpsc::Sender::is_closed) => return,
            Err(TrySendError::Closed(_)) => dropped(),
        }
    }
}
