//! Places for connections in their HTTP part, shared fairly: when all are taken, a newcomer gets the oldest place of the
//! address that has most of them. Not the open connections of admitted clients (`limits`).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::admission::network::AddressGroup;

/// All places of one node.
pub(crate) struct HandshakePlaces {
    max: usize,
    state: Mutex<State>,
}

/// An address is here only while it has a place, so `max` bounds the table.
#[derive(Default)]
struct State {
    taken: usize,
    next: u64,
    by_address: HashMap<Holder, BTreeMap<u64, Arc<Notify>>>,
}

/// `None`: a trusted proxy. Its connections are those of many clients, and are never displaced.
type Holder = Option<AddressGroup>;

/// One place, returned when dropped.
pub(crate) struct HandshakePlace {
    places: Arc<HandshakePlaces>,
    holder: Holder,
    number: u64,
    displaced: Arc<Notify>,
}

/// A newcomer's place.
pub(crate) enum PlaceOutcome {
    /// A place was free.
    Free(HandshakePlace),
    /// The oldest connection of the busiest address has to go.
    Displacing(HandshakePlace),
    /// All places are taken, and no address has more than the newcomer's.
    Full,
}

impl HandshakePlaces {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            state: Mutex::default(),
        })
    }

    /// A place for a connection from `holder`.
    pub(crate) fn take(self: &Arc<Self>, holder: Holder) -> PlaceOutcome {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = state.taken >= self.max;
        if is_full && !state.displace_for(holder) {
            return PlaceOutcome::Full;
        }
        let number = state.next;
        state.next += 1;
        state.taken += 1;
        let displaced = Arc::new(Notify::new());
        let own = state.by_address.entry(holder).or_default();
        own.insert(number, Arc::clone(&displaced));
        let place = HandshakePlace {
            places: Arc::clone(self),
            holder,
            number,
            displaced,
        };
        if is_full {
            PlaceOutcome::Displacing(place)
        } else {
            PlaceOutcome::Free(place)
        }
    }
}

impl State {
    /// Takes the oldest place of the busiest address away, unless the newcomer's address would then be the busiest.
    fn displace_for(&mut self, newcomer: Holder) -> bool {
        let own = self.by_address.get(&newcomer).map_or(0, BTreeMap::len);
        let holders = self.by_address.iter().filter(|(holder, _)| holder.is_some());
        let busiest = holders.max_by_key(|(_, places)| places.len());
        let Some((busiest, count)) = busiest.map(|(holder, places)| (*holder, places.len())) else {
            return false;
        };
        if count <= own + 1 {
            return false;
        }
        let oldest = self.by_address.get_mut(&busiest).and_then(BTreeMap::pop_first);
        let Some((_, displaced)) = oldest else {
            return false;
        };
        displaced.notify_one();
        self.taken -= 1;
        true
    }

    fn put_back(&mut self, holder: Holder, number: u64) {
        let Some(own) = self.by_address.get_mut(&holder) else {
            return;
        };
        // A displaced place is counted for its successor already.
        if own.remove(&number).is_some() {
            self.taken -= 1;
        }
        if own.is_empty() {
            self.by_address.remove(&holder);
        }
        if self.by_address.is_empty() {
            self.by_address = HashMap::new();
        }
    }
}

impl HandshakePlace {
    /// Ends when the place was given to another connection.
    pub(crate) async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for HandshakePlace {
    fn drop(&mut self) {
        let mut state = self.places.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.put_back(self.holder, self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn address(last: u8) -> Holder {
        Some(AddressGroup::of([192, 0, 2, last].into()))
    }

    fn placed(outcome: PlaceOutcome) -> HandshakePlace {
        match outcome {
            PlaceOutcome::Free(place) | PlaceOutcome::Displacing(place) => place,
            PlaceOutcome::Full => panic!("no place"),
        }
    }

    #[test]
    fn a_newcomer_gets_the_oldest_place_of_the_busiest_address() {
        let places = HandshakePlaces::new(4);
        let busy: Vec<_> = (0..4).map(|_| placed(places.take(address(1)))).collect();
        assert!(matches!(places.take(address(1)), PlaceOutcome::Full));
        let honest = placed(places.take(address(2)));
        assert!(busy[0].displaced().now_or_never().is_some());
        assert!(busy[1].displaced().now_or_never().is_none());
        let second = placed(places.take(address(2)));
        assert!(
            matches!(places.take(address(2)), PlaceOutcome::Full),
            "two and two are fair"
        );
        drop(busy);
        drop((honest, second));
        let state = places.state.lock().unwrap();
        assert_eq!((state.taken, state.by_address.len()), (0, 0));
    }

    #[test]
    fn a_trusted_proxy_is_never_displaced() {
        let places = HandshakePlaces::new(2);
        let _proxy = (placed(places.take(None)), placed(places.take(None)));
        assert!(matches!(places.take(address(1)), PlaceOutcome::Full));
    }
}
