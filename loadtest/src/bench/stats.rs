//! Median and spread of repeats.

use serde::Serialize;

/// Several measurements of one figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Repeats {
    values: Vec<f64>,
}

impl Repeats {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { values }
    }

    /// The middle value; of an even number the upper of the two.
    pub(crate) fn median(&self) -> f64 {
        self.values
            .get(self.values.len() / 2)
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// The smallest and the largest value.
    pub(crate) fn range(&self) -> (f64, f64) {
        let first = self.values.first().copied().unwrap_or(f64::NAN);
        (first, self.values.last().copied().unwrap_or(f64::NAN))
    }

    pub(crate) fn count(&self) -> usize {
        self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        let repeats = Repeats::new(vec![9.0, 1.0, 5.0]);
        assert_eq!(
            (repeats.median(), repeats.range(), repeats.count()),
            (5.0, (1.0, 9.0), 3)
        );
    }
}
