//! A bucket for each key, in a table with a bound. A full bucket is not kept, because a new one is the same.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use super::bucket::{Bucket, Rate};

/// The most keys with a bucket that is not full.
pub(super) const MAX_KEYS: usize = 65_536;

/// How often a full table is searched for buckets that are full again.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// A bucket for each key.
pub(super) struct KeyedBuckets<K> {
    rate: Rate,
    buckets: HashMap<K, Bucket>,
    swept: Instant,
}

/// The table has no room for another key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableFull;

impl<K: Eq + Hash> KeyedBuckets<K> {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
            swept: now,
        }
    }

    /// Takes one out of the bucket of `key`; the inner error is the time to wait.
    pub(super) fn take(&mut self, key: K, now: Instant) -> Result<Result<(), Duration>, TableFull> {
        self.sweep(now);
        let rate = self.rate;
        if self.buckets.len() >= MAX_KEYS && !self.buckets.contains_key(&key) {
            return Err(TableFull);
        }
        let bucket = self.buckets.entry(key).or_insert_with(|| Bucket::full(rate, now));
        Ok(bucket.take(rate, 0.0, now))
    }

    pub(super) fn put_back(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.put_back(self.rate);
        }
    }

    /// Once in the time in which a bucket fills, or sooner when the table is full, drops the full buckets.
    fn sweep(&mut self, now: Instant) {
        let rate = self.rate;
        let every = if self.buckets.len() >= MAX_KEYS {
            SWEEP_EVERY
        } else {
            rate.time_to_fill().max(SWEEP_EVERY)
        };
        if now.saturating_duration_since(self.swept) < every {
            return;
        }
        self.swept = now;
        self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
        self.buckets.shrink_to(self.buckets.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 1.0,
        burst: 2.0,
    };

    #[test]
    fn each_key_has_its_own_bucket_and_a_full_table_has_room_again_when_buckets_are_full() {
        let start = Instant::now();
        let mut keyed = KeyedBuckets::new(RATE, start);
        assert_eq!(keyed.take(0, start), Ok(Ok(())));
        assert_eq!(keyed.take(0, start), Ok(Ok(())));
        assert!(keyed.take(0, start).unwrap().is_err());
        for key in 1..MAX_KEYS {
            assert_eq!(keyed.take(key, start), Ok(Ok(())));
        }
        assert_eq!(keyed.take(MAX_KEYS, start), Err(TableFull));
        assert!(
            keyed.take(0, start).unwrap().is_err(),
            "nobody is forgotten for it"
        );
        let later = start + RATE.time_to_fill();
        assert_eq!(keyed.take(MAX_KEYS, later), Ok(Ok(())));
        assert_eq!(keyed.buckets.len(), 1, "full buckets are not kept");
        assert!(keyed.buckets.capacity() < MAX_KEYS);
    }
}
