//! Places for the calls of each tenant that are under way: a tenant whose peers do not answer cannot fill the node with
//! calls that wait. Not their rate, which the caller's account has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The calls under way, by tenant. A tenant is here only while it has one, so the node's connections bound the table.
pub(crate) struct CallPlaces {
    max_per_tenant: usize,
    taken: Mutex<HashMap<Box<str>, usize>>,
}

/// One place, returned when dropped.
pub(crate) struct CallPlace {
    places: Arc<CallPlaces>,
    tenant: Box<str>,
}

impl CallPlaces {
    pub(crate) fn new(max_per_tenant: usize) -> Arc<Self> {
        Arc::new(Self {
            max_per_tenant,
            taken: Mutex::default(),
        })
    }

    /// A place for a call of `tenant`, unless all are taken.
    pub(crate) fn take(self: &Arc<Self>, tenant: &str) -> Option<CallPlace> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(tenant.into()).or_default();
        if *count >= self.max_per_tenant {
            return None;
        }
        *count += 1;
        Some(CallPlace {
            places: Arc::clone(self),
            tenant: tenant.into(),
        })
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&*self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&*self.tenant);
            }
        }
        if taken.is_empty() {
            *taken = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_has_all_its_places_takes_none_from_another() {
        let places = CallPlaces::new(2);
        let first = places.take("acme");
        let second = places.take("acme");
        assert!(first.is_some() && second.is_some() && places.take("acme").is_none());
        let other = places.take("globex");
        assert!(other.is_some());
        drop(first);
        assert!(places.take("acme").is_some());
        drop((second, other));
        assert_eq!(places.taken.lock().unwrap().capacity(), 0);
    }
}
