//! How many rooms a tenant has, as far as this node knows: a number that is read now and then, and the rooms that this
//! node has created and ended since. So a bound of a tenant holds exactly on one node, and within a second or two over
//! all of them, and no join waits for a count. Tenants without a bound cost nothing. Not the bound
//! itself (core's), not the reading (`room_count`).

use hashbrown::HashMap;
use parking_lot::Mutex;

/// Tenants counted at once, at most: each costs Redis one short command for each partition.
const MAX_COUNTED: usize = 16;

/// The numbers. Bounded by the tenants that have rooms and a bound.
#[derive(Debug, Default)]
pub(crate) struct TenantRooms(Mutex<HashMap<String, Count>>);

#[derive(Debug, Default)]
struct Count {
    known: i64,
    /// Created and not ended by this node since the number was read.
    change: i64,
    /// Somebody has asked since the number was read.
    is_asked: bool,
}

impl TenantRooms {
    /// Whether the tenant may have one room more, of at most `max`; then it counts as created until
    /// [`TenantRooms::add`] takes it back.
    pub(crate) fn reserve(&self, tenant: &str, max: usize) -> bool {
        let mut counts = self.0.lock();
        let count = counts.entry_ref(tenant).or_default();
        count.is_asked = true;
        let is_free = count.known + count.change < i64::try_from(max).unwrap_or(i64::MAX);
        count.change += i64::from(is_free);
        is_free
    }

    /// This node has ended a room, or created one more or less than it reserved.
    pub(crate) fn add(&self, tenant: &str, change: i64) {
        if let Some(count) = self.0.lock().get_mut(tenant) {
            count.change += change;
        }
    }

    /// The tenants to count now, with the changes that the number will have in it.
    pub(crate) fn take_asked(&self) -> Vec<(String, i64)> {
        let mut counts = self.0.lock();
        counts.retain(|_, count| count.is_asked || count.known + count.change > 0);
        if counts.len() < counts.capacity() / 4 {
            let wanted = counts.len() * 2;
            counts.shrink_to(wanted);
        }
        let asked = counts.iter_mut().filter(|(_, count)| count.is_asked);
        let asked = asked.take(MAX_COUNTED).map(|(tenant, count)| {
            count.is_asked = false;
            (tenant.clone(), count.change)
        });
        asked.collect()
    }

    /// `known` rooms were read; `counted` changes are in that number.
    pub(crate) fn counted(&self, tenant: &str, known: u64, counted: i64) {
        if let Some(count) = self.0.lock().get_mut(tenant) {
            count.known = i64::try_from(known).unwrap_or(i64::MAX);
            count.change -= counted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_may_create_rooms_up_to_its_bound_and_again_when_one_has_ended() {
        let rooms = TenantRooms::default();
        assert!(rooms.reserve("acme", 2) && rooms.reserve("acme", 2));
        assert!(!rooms.reserve("acme", 2) && rooms.reserve("other", 1));
        rooms.add("acme", -1);
        assert!(rooms.reserve("acme", 2) && !rooms.reserve("acme", 2));
    }

    #[test]
    fn a_count_takes_the_place_of_the_changes_before_it() {
        let rooms = TenantRooms::default();
        assert!(rooms.reserve("acme", 10) && rooms.reserve("acme", 10));
        assert_eq!(rooms.take_asked(), [("acme".to_owned(), 2)]);
        assert!(rooms.reserve("acme", 10), "while Redis counts");
        rooms.counted("acme", 9, 2);
        assert!(!rooms.reserve("acme", 10), "nine, and the one since");
        assert_eq!(rooms.take_asked(), [("acme".to_owned(), 1)]);
        rooms.counted("acme", 0, 1);
        assert!(rooms.reserve("acme", 10));
    }

    #[test]
    fn a_tenant_without_rooms_is_forgotten_and_one_round_counts_only_some() {
        let rooms = TenantRooms::default();
        for tenant in 0..100 {
            assert!(rooms.reserve(&format!("t{tenant}"), 1));
            rooms.add(&format!("t{tenant}"), -1);
        }
        let mut rounds = 0;
        while !rooms.take_asked().is_empty() {
            rounds += 1;
        }
        assert_eq!((rounds, rooms.0.lock().len()), (7, 0));
    }
}
