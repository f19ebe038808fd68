//! Intended moments, kept to some 60 µs by a thread of its own: tokio's timers round to a millisecond, which
//! would send in bursts and hide what a lone message costs. Bursts can be asked for, with a tick.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// Moments that a sender may lag behind before the pacer counts it as slipping.
const LAG: usize = 4096;

/// How moments follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// Evenly: each message finds everybody asleep.
    Even,
    /// All of a millisecond together, at its beginning: as programs send whose timers have that grain.
    Ticks,
}

/// Sends each of `count` moments, `every` apart from `clock` on, to one of `senders` in turn. Returns at once;
/// the thread ends with its last moment or when a sender is gone.
pub(crate) fn start(
    clock: Instant,
    every: Duration,
    spacing: Spacing,
    count: u64,
    senders: usize,
) -> Vec<mpsc::Receiver<Duration>> {
    let (inputs, outputs): (Vec<_>, Vec<_>) = (0..senders).map(|_| mpsc::channel(LAG)).unzip();
    std::thread::spawn(move || pace(clock, every, spacing, count, &inputs));
    outputs
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, whose only work is to sleep precisely"
)]
fn pace(clock: Instant, every: Duration, spacing: Spacing, count: u64, inputs: &[mpsc::Sender<Duration>]) {
    for (number, input) in (0..count).zip(inputs.iter().cycle()) {
        let at = every.mul_f64(number as f64);
        let at = match spacing {
            Spacing::Even => at,
            Spacing::Ticks => Duration::from_millis(at.as_millis() as u64),
        };
        if let Some(wait) = at.checked_sub(clock.elapsed()) {
            std::thread::sleep(wait);
        }
        if input.try_send(at).is_err() {
            return;
        }
    }
}
