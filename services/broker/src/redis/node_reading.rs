//! What a node has read of the others, and until when it is valid. Not what it is, or when it is read (`node_exchange`).

use std::time::{Duration, Instant};

use super::periods::RENEW_EVERY;

/// Something that was read, and until when it is valid: for two readings and some delay.
#[derive(Debug)]
pub(crate) struct Received<T> {
    value: T,
    until: Instant,
}

impl<T> Received<T> {
    pub(crate) fn new(value: T, reading: Reading) -> Self {
        let every = RENEW_EVERY.saturating_mul(reading.every);
        let valid_for = every.saturating_mul(2).saturating_add(Duration::from_secs(1));
        let until = reading.at + valid_for;
        Self { value, until }
    }

    /// The value, while it is valid.
    pub(crate) fn valid(&self) -> Option<&T> {
        (Instant::now() < self.until).then_some(&self.value)
    }
}

/// A reading of what the others say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    /// The next one follows after so many turns.
    pub(crate) every: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_valid_until_the_next_reading_is_overdue() {
        let now = Instant::now();
        let is_valid = |every, seconds| {
            let at = now.checked_sub(Duration::from_secs(seconds)).unwrap();
            Received::new((), Reading { at, every }).valid().is_some()
        };
        assert!(is_valid(1, 6) && !is_valid(1, 7));
        assert!(is_valid(5, 30) && !is_valid(5, 31));
    }
}
