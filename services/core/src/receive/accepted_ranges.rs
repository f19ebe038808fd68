//! What a receiver has of one sender: which ids it accepted, and how far they are done.

/// The ids that a receiver accepted from one sender, as ranges, and the id up to which they are done: written to
/// the socket or acknowledged by the client.
///
/// Ids between the ranges were never accepted: they went to other receivers, or their sender gave them up. Such
/// an id must never be delivered after a later one. It must never be called delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedRanges {
    /// Every accepted id up to here is done.
    pub done: u64,
    /// Accepted ids, as first and last of each range, rising. Not empty once an id was accepted.
    pub ranges: Vec<(u64, u64)>,
}

/// Ranges kept for one sender. The oldest is forgotten first: an id so far back counts as never accepted, and
/// its sender hears `timeout`, which is never a false claim of delivery.
pub const MAX_RANGES: usize = 128;

impl AcceptedRanges {
    /// The highest accepted id; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.1)
    }

    /// Whether `id` was accepted.
    #[must_use]
    pub fn has(&self, id: u64) -> bool {
        // Nearly always it is in the newest range.
        self.ranges
            .iter()
            .rev()
            .any(|(first, last)| (*first..=*last).contains(&id))
    }

    /// Notes that `id`, higher than all before, was accepted.
    pub fn accept(&mut self, id: u64) {
        match self.ranges.last_mut() {
            Some(range) if range.1 + 1 == id => range.1 = id,
            Some(_) | None => {
                if self.ranges.len() >= MAX_RANGES {
                    self.ranges.remove(0);
                }
                self.ranges.push((id, id));
            }
        }
    }

    /// The client refused `id`: as if it had never been accepted.
    pub fn refuse(&mut self, id: u64) {
        let Some(at) = self
            .ranges
            .iter()
            .position(|(first, last)| (*first..=*last).contains(&id))
        else {
            return;
        };
        let (first, last) = self.ranges.remove(at);
        let rest = [(first, id - 1), (id + 1, last)];
        let rest = rest.into_iter().filter(|(first, last)| first <= last);
        self.ranges.splice(at..at, rest);
    }

    /// Forgets accepted ids that are not done: their sender will transmit them again.
    pub fn keep_done(&mut self) {
        let done = self.done;
        self.ranges.retain(|range| range.0 <= done);
        if let Some(range) = self.ranges.last_mut() {
            range.1 = range.1.min(done);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(done: u64, ranges: &[(u64, u64)]) -> AcceptedRanges {
        AcceptedRanges {
            done,
            ranges: ranges.to_vec(),
        }
    }

    #[test]
    fn a_skipped_id_differs_from_an_accepted_one() {
        let mut accepted = AcceptedRanges::default();
        assert_eq!(accepted.last(), 0);
        [1, 2, 5, 6].into_iter().for_each(|id| accepted.accept(id));
        assert_eq!(accepted.ranges, [(1, 2), (5, 6)]);
        assert!(accepted.has(2) && !accepted.has(3) && accepted.has(5) && !accepted.has(7));
        assert_eq!(accepted.last(), 6);
    }

    #[test]
    fn an_id_next_to_a_range_extends_it_and_one_further_starts_another() {
        let mut accepted = ranges(0, &[(4, 6)]);
        accepted.accept(7);
        assert_eq!(accepted.ranges, [(4, 7)]);
        accepted.accept(9);
        assert_eq!(accepted.ranges, [(4, 7), (9, 9)]);
    }

    #[test]
    fn a_refused_id_counts_as_never_accepted() {
        let mut accepted = ranges(9, &[(3, 5), (9, 9)]);
        accepted.refuse(4);
        assert_eq!(accepted.ranges, [(3, 3), (5, 5), (9, 9)]);
        accepted.refuse(3);
        accepted.refuse(7);
        assert_eq!(accepted.ranges, [(5, 5), (9, 9)]);
    }

    #[test]
    fn ids_that_are_not_done_are_forgotten() {
        let mut accepted = ranges(5, &[(1, 2), (5, 6), (9, 9)]);
        accepted.keep_done();
        assert_eq!(accepted.ranges, [(1, 2), (5, 5)]);
        let mut none_done = ranges(0, &[(1, 2)]);
        none_done.keep_done();
        assert_eq!(none_done.ranges, []);
    }

    #[test]
    fn ranges_are_bounded_and_the_oldest_is_forgotten() {
        let mut accepted = AcceptedRanges::default();
        let mut odd = (1..).step_by(2);
        odd.by_ref().take(MAX_RANGES).for_each(|id| accepted.accept(id));
        assert_eq!(accepted.ranges.len(), MAX_RANGES);
        assert!(accepted.has(1), "the bound is reached, not exceeded");
        odd.take(1).for_each(|id| accepted.accept(id));
        assert_eq!(accepted.ranges.len(), MAX_RANGES);
        assert!(!accepted.has(1) && accepted.has(3));
    }

    proptest! {
        /// Against the plainest model there is: a set.
        #[test]
        fn ranges_answer_as_a_set_does(
            steps in proptest::collection::vec(1_u64..4, 1..60),
            refused in proptest::collection::vec(0_u64..160, 0..20),
            done in 0_u64..160,
        ) {
            let mut accepted = AcceptedRanges::default();
            let mut set = std::collections::BTreeSet::new();
            let mut id = 0;
            for step in steps {
                id += step;
                accepted.accept(id);
                set.insert(id);
            }
            for id in refused {
                accepted.refuse(id);
                set.remove(&id);
            }
            prop_assert_eq!(accepted.last(), set.last().copied().unwrap_or(0));
            (0..200).for_each(|id| assert_eq!(accepted.has(id), set.contains(&id), "{}", id));
            accepted.done = done;
            accepted.keep_done();
            set.retain(|id| *id <= done);
            (0..200).for_each(|id| assert_eq!(accepted.has(id), set.contains(&id), "{} done", id));
            let is_separate = accepted.ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
            prop_assert!(is_separate && accepted.ranges.iter().all(|(first, last)| first <= last));
        }
    }
}
