//! The search for the highest rate that keeps the thresholds: doubling until a run fails, then halving the gap.
//! Only the search; the caller makes the runs.

use crate::scenario::MAX_RATE;

/// Runs of one search: it ends even if every run contradicts the one before.
const MAX_RUNS: usize = 40;

/// The smallest gap, as a share of the rate: below it noise decides.
const LEAST_PRECISION: f64 = 0.001;

/// A search in progress. Ask [`next`](Self::next), run at that rate, [`tell`](Self::tell), until there is none.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    lowest: f64,
    highest: f64,
    precision: f64,
    /// The highest rate that held.
    kept: Option<f64>,
    /// The lowest that failed twice.
    failed: Option<f64>,
    /// One that failed once.
    doubted: Option<f64>,
    runs: usize,
}

impl Search {
    /// A search from `lowest` (a second) up to `highest`, that ends when the best rate that held and the least
    /// that failed are no further apart than `precision`, as a share of the rate (0.05: 5 %).
    ///
    /// # Errors
    /// When these are no rates, with the fix.
    pub(crate) fn new(lowest: f64, highest: Option<f64>, precision: f64) -> anyhow::Result<Self> {
        let highest = highest.unwrap_or(MAX_RATE);
        if !(lowest > 0.0 && lowest <= highest && highest <= MAX_RATE) {
            anyhow::bail!(
                "a search from {lowest} to {highest} a second is none; say above 0, and at most {MAX_RATE}"
            );
        }
        if !(LEAST_PRECISION..1.0).contains(&precision) {
            anyhow::bail!(
                "a precision of {precision} is none; say {LEAST_PRECISION} to 1, for example 0.05 for 5 %"
            );
        }
        Ok(Self {
            lowest,
            highest,
            precision,
            kept: None,
            failed: None,
            doubted: None,
            runs: 0,
        })
    }

    /// The rate of the next run; `None` when the search is over.
    pub(crate) fn next(&self) -> Option<f64> {
        if self.runs >= MAX_RUNS {
            return None;
        }
        if self.doubted.is_some() {
            return self.doubted;
        }
        match (self.kept, self.failed) {
            (None, None) => Some(self.lowest),
            // Not even the lowest rate holds.
            (None, Some(_)) => None,
            (Some(kept), None) => (kept < self.highest).then(|| (kept * 2.0).min(self.highest)),
            // The middle as a ratio, since precision is one too.
            (Some(kept), Some(failed)) => {
                (failed > kept * (1.0 + self.precision)).then(|| (kept * failed).sqrt())
            }
        }
    }

    /// What came of a run at `rate`. A failure counts once a second run at the same rate has failed too: a busy
    /// machine fails now and then by itself.
    pub(crate) fn tell(&mut self, rate: f64, is_met: bool) {
        self.runs += 1;
        let is_second = self.doubted.take().is_some();
        if is_met {
            self.kept = Some(self.kept.map_or(rate, |kept| kept.max(rate)));
        } else if is_second {
            self.failed = Some(self.failed.map_or(rate, |failed| failed.min(rate)));
        } else {
            self.doubted = Some(rate);
        }
    }

    /// The highest rate that held so far; `None` if none did.
    pub(crate) const fn found(&self) -> Option<f64> {
        self.kept
    }

    /// Whether something failed above what was found: else it is only a lower bound.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.failed.is_some()
    }

    /// Runs so far.
    pub(crate) const fn runs(&self) -> usize {
        self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches with runs that `holds` decides, by rate and number.
    fn search(lowest: f64, highest: Option<f64>, holds: impl Fn(f64, usize) -> bool) -> Search {
        let mut search = Search::new(lowest, highest, 0.05).unwrap();
        while let Some(rate) = search.next() {
            search.tell(rate, holds(rate, search.runs()));
        }
        search
    }

    #[test]
    fn a_step_is_found_within_the_precision_wherever_it_is() {
        for step in [10.0, 11.0, 19.9, 37.0, 333.3, 4_999.0, 90_000.0] {
            let search = search(10.0, None, |rate, _| rate <= step);
            let found = search.found().unwrap();
            assert!(
                found <= step && found * 1.05 >= step * 0.999,
                "{found} for {step}"
            );
            assert!(
                search.is_bounded() && search.runs() < MAX_RUNS,
                "{step}: {}",
                search.runs()
            );
        }
        let unbounded = search(10.0, Some(55.0), |_, _| true);
        assert_eq!(
            (unbounded.found(), unbounded.is_bounded(), unbounded.runs()),
            (Some(55.0), false, 4)
        );
    }

    #[test]
    fn a_single_failure_is_noise_two_are_not_and_every_search_ends() {
        let noisy = search(10.0, None, |rate, run| rate <= 333.0 && run % 4 != 2);
        assert!(noisy.found().unwrap() > 310.0, "{noisy:?}");
        let failing = search(10.0, None, |_, _| false);
        assert_eq!((failing.found(), failing.runs()), (None, 2));
        let contradicting = search(1.0, None, |_, run| run % 3 == 0);
        assert!(contradicting.runs() <= MAX_RUNS);
    }

    #[test]
    fn an_impossible_search_is_refused_with_the_fix() {
        for (lowest, highest, precision) in [
            (0.0, None, 0.05),
            (f64::NAN, None, 0.05),
            (10.0, Some(5.0), 0.05),
            (10.0, Some(f64::INFINITY), 0.05),
            (10.0, None, 0.0),
            (10.0, None, f64::NAN),
        ] {
            let error = Search::new(lowest, highest, precision).unwrap_err().to_string();
            assert!(error.contains("say "), "{error}");
        }
    }
}
