//! Errors counted by their text. The number of texts has a bound, because a server may invent new ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Distinct texts; errors with further texts count as "other".
pub const MAX_ERRORS: usize = 64;

const OTHER: &str = "other";

/// The number of each error, by a short text like `connect: 503 busy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorTally(BTreeMap<String, u64>);

impl ErrorTally {
    /// Adds `count` errors with this text.
    pub fn add(&mut self, text: &str, count: u64) {
        let is_known = self.0.contains_key(text) || self.0.len() < MAX_ERRORS;
        let text = if is_known { text } else { OTHER };
        *self.0.entry(text.to_owned()).or_default() += count;
    }

    /// Adds all errors of another tally.
    pub fn merge(&mut self, other: &Self) {
        for (text, count) in &other.0 {
            self.add(text, *count);
        }
    }

    /// The texts with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(text, count)| (text.as_str(), *count))
    }

    /// Whether no error is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_beyond_the_bound_are_counted_together() {
        let mut tally = ErrorTally::default();
        for number in 0..MAX_ERRORS + 10 {
            tally.add(&format!("error {number}"), 1);
        }
        assert_eq!(tally.iter().count(), MAX_ERRORS + 1);
        assert_eq!(tally.iter().find(|(text, _)| *text == OTHER).unwrap().1, 10);
    }
}
