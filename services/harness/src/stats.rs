//! Median, range and histograms of repeats. Whether two sets of repeats differ is for the load generator's comparison.

use hdrhistogram::Histogram;

/// The resolution, in nanoseconds: one microsecond.
const MIN_NS: u64 = 1_000;

/// The longest time, in nanoseconds: five minutes. Longer ones count as that.
const MAX_NS: u64 = 300_000_000_000;

/// The middle value; of an even number the mean of the two. `None` of none.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The smallest and the largest value. `None` of none.
#[must_use]
pub fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    let most = values.iter().copied().reduce(f64::max)?;
    Some((least, most))
}

/// An empty histogram of nanoseconds with three significant digits. All have the same bounds, so any two can be added.
#[must_use]
pub fn new_histogram() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that the library accepts"
    )]
    Histogram::new_with_bounds(MIN_NS, MAX_NS, 3).expect("constant bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!((median(&[]), range(&[])), (None, None));
        assert_eq!(range(&[4.0, 1.0, 9.0]), Some((1.0, 9.0)));
    }

    #[test]
    fn a_time_beyond_the_bounds_counts_as_the_longest() {
        let mut histogram = new_histogram();
        histogram.saturating_record(2 * MAX_NS);
        assert!(histogram.max() >= MAX_NS);
    }
}
