//! The two ways in which the benchmark's messages follow each other. Keeping the moments is for `work::pacer`.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::work::pacer;

/// How moments follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// Evenly: each message finds everybody asleep.
    Even,
    /// All of a millisecond together, at its beginning: as programs send whose timers have that grain.
    Ticks,
}

impl Spacing {
    fn place(self, at: Duration) -> Duration {
        match self {
            Self::Even => at,
            Self::Ticks => Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// Gives `count` moments, `rate` a second from `clock` on, to each of `takers` in turn. A taker that lags too far
/// behind misses moments, which shows in the messages sent.
pub(crate) fn start(
    clock: Instant,
    rate: f64,
    spacing: Spacing,
    count: u64,
    takers: usize,
) -> Vec<mpsc::Receiver<Duration>> {
    let every = Duration::from_secs_f64(1.0 / rate);
    let (inputs, outputs) = (0..takers).map(|_| pacer::channel()).unzip();
    let moments = (0..count).map(move |number| spacing.place(every.mul_f64(number as f64)));
    pacer::start(clock, moments, inputs, || {});
    outputs
}
