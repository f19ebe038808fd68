//! The bounds of one peer, after the claim `switchboard.limits` of its newest token. Not the operator's (`bounds`).

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use switchboard_protocol::GrantLimits;

use super::{bounds::Limits, bucket::BucketSize};

/// The rate of one peer. Both are 0 while no token has said anything else than the operator.
#[derive(Debug, Default)]
pub(super) struct ClaimedRate {
    per_second: AtomicU32,
    burst: AtomicU32,
}

impl ClaimedRate {
    /// The newest token has these bounds.
    pub(super) fn set(&self, claim: Option<&GrantLimits>, limits: &Limits) {
        let (per_second, burst) = match claim {
            Some(claim) if claim.messages_per_second.is_some() || claim.message_burst.is_some() => (
                within(
                    claim.messages_per_second,
                    limits.messages_per_second,
                    limits.raised.messages_per_second,
                ),
                within(
                    claim.message_burst,
                    limits.message_burst,
                    limits.raised.message_burst,
                ),
            ),
            Some(_) | None => (0, 0),
        };
        self.per_second.store(per_second, Ordering::Relaxed);
        self.burst.store(burst, Ordering::Relaxed);
    }

    /// The commands per second, and those at once.
    pub(super) fn get(&self, limits: &Limits) -> (u32, u32) {
        match (
            self.per_second.load(Ordering::Relaxed),
            self.burst.load(Ordering::Relaxed),
        ) {
            (0, _) | (_, 0) => (limits.messages_per_second, limits.message_burst),
            claimed => claimed,
        }
    }

    /// The size of the peer's bucket.
    pub(super) fn size(&self, limits: &Limits, usual: BucketSize) -> BucketSize {
        match self.per_second.load(Ordering::Relaxed) {
            0 => usual,
            _ => {
                let (per_second, burst) = self.get(limits);
                BucketSize::per_second(per_second, burst)
            }
        }
    }
}

/// The quotas of one peer's tenant. Each is 0 while the newest token states none.
#[derive(Debug, Default)]
pub(super) struct ClaimedQuotas {
    rooms: AtomicU32,
    held_bytes: AtomicU32,
}

impl ClaimedQuotas {
    /// The newest token has these bounds.
    pub(super) fn set(&self, claim: Option<&GrantLimits>) {
        let claim = claim.copied().unwrap_or_default();
        let number = |claim: Option<NonZeroU32>| claim.map_or(0, NonZeroU32::get);
        self.rooms
            .store(number(claim.rooms_per_tenant), Ordering::Relaxed);
        self.held_bytes
            .store(number(claim.tenant_held_bytes), Ordering::Relaxed);
    }

    /// The rooms of the tenant, over all nodes; 0: no bound.
    pub(super) fn rooms(&self, limits: &Limits) -> usize {
        let claim = NonZeroU32::new(self.rooms.load(Ordering::Relaxed));
        number_within(claim, limits.rooms_per_tenant, limits.raised.rooms_per_tenant)
    }

    /// The bytes that the tenant may hold, on all nodes together; 0: no bound.
    pub(super) fn held_bytes(&self, limits: &Limits) -> usize {
        let claim = NonZeroU32::new(self.held_bytes.load(Ordering::Relaxed));
        number_within(claim, limits.tenant_held_bytes, limits.raised.tenant_held_bytes)
    }
}

/// A claimed rate, within the operator's.
fn within(claim: Option<NonZeroU32>, bound: u32, raised: u32) -> u32 {
    claim.map_or(bound, |claim| claim.get().min(bound.max(raised)))
}

/// A claimed number, within the operator's; 0: no bound.
pub(super) fn number_within(claim: Option<NonZeroU32>, bound: usize, raised: usize) -> usize {
    let claim = claim.map(|claim| claim.get() as usize);
    match claim {
        None => bound,
        Some(claim) if bound == 0 => claim,
        Some(claim) => claim.min(bound.max(raised)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_lowers_a_bound_and_raises_it_as_far_as_the_operator_says() {
        let claim = NonZeroU32::new;
        assert_eq!(within(None, 100, 0), 100);
        assert_eq!(within(claim(5), 100, 0), 5);
        assert_eq!(within(claim(500), 100, 0), 100);
        assert_eq!(within(claim(500), 100, 300), 300);
        assert_eq!(number_within(None, 0, 0), 0, "no bound");
        assert_eq!(number_within(claim(5), 0, 0), 5);
        assert_eq!(number_within(claim(500), 8, 0), 8);
        assert_eq!(number_within(claim(500), 8, 1000), 500);
    }

    #[test]
    fn the_newest_token_decides_and_one_without_a_claim_restores_the_bound() {
        let (rate, limits) = (ClaimedRate::default(), Limits::default());
        let usual = (limits.messages_per_second, limits.message_burst);
        assert_eq!(rate.get(&limits), usual);
        let claim = GrantLimits {
            messages_per_second: NonZeroU32::new(5),
            ..GrantLimits::default()
        };
        rate.set(Some(&claim), &limits);
        assert_eq!(rate.get(&limits), (5, limits.message_burst));
        rate.set(Some(&GrantLimits::default()), &limits);
        assert_eq!(rate.get(&limits), usual);
    }
}
