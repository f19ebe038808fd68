//! How many requests with a token one address may send, where the operator bounds it. Taken before the token is verified, so
//! that bad tokens cost little. Not the share of an address in the connects of the node (`pace`).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    bucket::Rate,
    keyed::{KeyedBuckets, TableFull},
};
use crate::admission::network::AddressGroup;

/// The seconds of its rate that an address takes at once.
const BURST_S: f64 = 4.0;

/// The rates of all addresses.
pub(crate) struct RequestPace(Option<Mutex<KeyedBuckets<AddressGroup>>>);

/// Why a request must wait, and how long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// Its address sends too many.
    Address(Duration),
    /// Too many addresses are near their bound, and there is no room for another one.
    Addresses,
}

impl RequestPace {
    /// Requests per second of one address; 0: no bound.
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        let rate = Rate {
            per_second,
            burst: per_second * BURST_S,
        };
        Self((per_second > 0.0).then(|| Mutex::new(KeyedBuckets::new(rate, Instant::now()))))
    }

    /// Takes one request of `address`.
    pub(crate) fn take(&self, address: AddressGroup, now: Instant) -> Result<(), TooMany> {
        let Some(buckets) = &self.0 else {
            return Ok(());
        };
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.take(address, now) {
            Ok(taken) => taken.map_err(TooMany::Address),
            Err(TableFull) => Err(TooMany::Addresses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_rate_and_without_a_bound_nobody_waits() {
        let now = Instant::now();
        let address = |last| AddressGroup::of([192, 0, 2, last].into());
        let pace = RequestPace::new(5);
        let taken = |last| (0..100).filter(|_| pace.take(address(last), now).is_ok()).count();
        assert_eq!((taken(1), taken(2)), (20, 20));
        assert_eq!(
            pace.take(address(1), now),
            Err(TooMany::Address(Duration::from_millis(200)))
        );
        let unbounded = RequestPace::new(0);
        assert!((0..100_000).all(|_| unbounded.take(address(1), now).is_ok()));
    }
}
