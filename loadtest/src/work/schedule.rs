//! When starts are planned: moments drawn from stages, the same for the same seed. `pacer` keeps them.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::scenario::{Arrivals, Stage};

/// One stage with what came before it.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Its beginning, in seconds.
    from_s: f64,
    lasts_s: f64,
    /// Starts a second at its beginning and its end.
    rates: (f64, f64),
    /// Starts expected before it.
    before: f64,
}

impl Part {
    fn expected(&self) -> f64 {
        (self.rates.0 + self.rates.1) / 2.0 * self.lasts_s
    }

    /// When, from the beginning of the stage, so many starts are expected to have been made.
    fn when(&self, starts: f64) -> f64 {
        let slope = (self.rates.1 - self.rates.0) / self.lasts_s;
        if slope.abs() < 1e-12 {
            return starts / self.rates.0;
        }
        // Half the slope times t², plus the rate times t, makes the starts.
        let root = (self.rates.0 * self.rates.0 + 2.0 * slope * starts)
            .max(0.0)
            .sqrt();
        (root - self.rates.0) / slope
    }
}

/// Moments, from the earliest on.
#[derive(Debug)]
pub(crate) struct Schedule {
    parts: Vec<Part>,
    arrivals: Arrivals,
    chance: StdRng,
    /// Starts expected up to the last moment.
    so_far: f64,
}

impl Schedule {
    /// The moments of `stages`, each rate multiplied by `share`.
    pub(crate) fn new(stages: &[Stage], share: f64, arrivals: Arrivals, seed: u64) -> Self {
        let (mut from_s, mut before) = (0.0, 0.0);
        let parts = stages.iter().map(|stage| {
            let part = Part {
                from_s,
                lasts_s: stage.lasts.get().as_secs_f64(),
                rates: (stage.rate * share, stage.to.unwrap_or(stage.rate) * share),
                before,
            };
            from_s += part.lasts_s;
            before += part.expected();
            part
        });
        Self {
            parts: parts.collect(),
            arrivals,
            chance: StdRng::seed_from_u64(seed),
            so_far: 0.0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.so_far += match self.arrivals {
            // The gaps of a Poisson process, in starts expected: exponential with mean 1.
            Arrivals::Poisson => -(1.0 - self.chance.random::<f64>()).ln(),
            Arrivals::Uniform | Arrivals::Ticks => 1.0,
        };
        let part = self.parts.iter().rev().find(|part| part.before <= self.so_far)?;
        let starts = self.so_far - part.before;
        // A rounding error beyond the last stage's end is no start of it.
        if starts > part.expected() {
            return None;
        }
        let at = Duration::from_secs_f64((part.from_s + part.when(starts)).max(0.0));
        let is_ticks = self.arrivals == Arrivals::Ticks;
        Some(if is_ticks {
            Duration::from_millis(at.as_millis() as u64)
        } else {
            at
        })
    }
}

/// The rate at that moment; 0 after the end.
pub(crate) fn rate_at(stages: &[Stage], at: Duration) -> f64 {
    let mut from = Duration::ZERO;
    for stage in stages {
        let lasts = stage.lasts.get();
        if at < from + lasts {
            let part = (at - from).as_secs_f64() / lasts.as_secs_f64();
            return stage.rate + (stage.to.unwrap_or(stage.rate) - stage.rate) * part;
        }
        from += lasts;
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Span, length_of};

    const fn stage(rate: f64, to: Option<f64>, seconds: u64) -> Stage {
        Stage {
            rate,
            to,
            lasts: Span::from_secs(seconds),
        }
    }

    #[test]
    fn uniform_moments_are_evenly_spaced_and_follow_a_ramp() {
        let hold: Vec<_> = Schedule::new(&[stage(10.0, None, 2)], 1.0, Arrivals::Uniform, 1).collect();
        assert_eq!((hold.len(), hold[0]), (20, Duration::from_millis(100)));
        let ramp: Vec<_> = Schedule::new(&[stage(0.0, Some(10.0), 10)], 1.0, Arrivals::Uniform, 1).collect();
        let ticks: Vec<_> = Schedule::new(&[stage(1_500.0, None, 1)], 1.0, Arrivals::Ticks, 1).collect();
        assert_eq!(
            (ticks.len(), ticks[0], ticks[1]),
            (1_500, Duration::ZERO, Duration::from_millis(1))
        );
        let first_half = ramp.iter().filter(|at| **at < Duration::from_secs(5)).count();
        assert!((49..=50).contains(&ramp.len()) && (12..=13).contains(&first_half));
    }

    #[test]
    fn poisson_moments_have_the_wanted_mean_and_are_the_same_for_the_same_seed() {
        let stages = [stage(100.0, None, 50), stage(100.0, Some(300.0), 50)];
        let draw = |seed| Schedule::new(&stages, 0.5, Arrivals::Poisson, seed).collect::<Vec<_>>();
        let moments = draw(1);
        assert!((7_150..7_850).contains(&moments.len()), "{}", moments.len());
        assert!(moments.is_sorted());
        assert_eq!(moments, draw(1));
        assert_ne!(moments, draw(2));
    }

    #[test]
    fn the_rate_at_a_moment_is_that_of_its_stage() {
        let stages = [stage(10.0, Some(20.0), 10), stage(5.0, None, 1)];
        assert_eq!(rate_at(&stages, Duration::from_secs(5)), 15.0);
        assert_eq!(rate_at(&stages, Duration::from_millis(10_500)), 5.0);
        assert_eq!(rate_at(&stages, length_of(&stages)), 0.0);
    }
}
