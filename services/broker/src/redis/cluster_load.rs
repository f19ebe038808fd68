//! How many connections each node has that takes clients: a word in what a node says of itself (`node_exchange`). Not the
//! conclusions (`switchboard_core::RebalancePolicy`).

use parking_lot::Mutex;
use switchboard_core::ClusterLoad;

use super::node_reading::{Reading, Received};

/// Stands before the number in the text of a node that takes clients.
const WORD: &str = "load=";

/// The number that this node publishes, and the load it last received.
#[derive(Debug, Default)]
pub(crate) struct LoadExchange(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    own: Option<usize>,
    /// The least number published since the reading before the last one. What the others say may be as old.
    least: Option<usize>,
    received: Option<Received<ClusterLoad>>,
}

impl LoadExchange {
    /// Takes the number to publish next, and gives the load received, while it is valid.
    pub(crate) fn exchange(&self, own: Option<usize>) -> Option<ClusterLoad> {
        let mut state = self.0.lock();
        state.own = own;
        state.received.as_ref()?.valid().cloned()
    }

    /// The number to publish.
    pub(super) fn to_publish(&self) -> Option<usize> {
        self.0.lock().own
    }

    /// `own` was published, and nothing was read.
    pub(super) fn on_published(&self, own: Option<usize>) {
        let mut state = self.0.lock();
        match (own, state.least) {
            (Some(own), Some(least)) => state.least = Some(own.min(least)),
            (Some(own), None) => state.least = Some(own),
            (None, _) => (state.least, state.received) = (None, None),
        }
    }

    /// `own` was published, and the texts of the others were read.
    pub(super) fn on_read(&self, reading: Reading, own: Option<usize>, texts: &[String]) {
        let mut state = self.0.lock();
        let least = std::mem::replace(&mut state.least, own);
        state.received = own.map(|own| {
            let own = least.map_or(own, |least| least.min(own));
            let others = texts.iter().filter_map(|text| read(text)).collect();
            Received::new(ClusterLoad { own, others }, reading)
        });
    }
}

/// The word of a node that takes clients.
pub(super) fn word(own: usize) -> String {
    format!("{WORD}{own}")
}

fn read(text: &str) -> Option<usize> {
    let word = text.split(' ').find_map(|word| word.strip_prefix(WORD))?;
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn own(exchange: &LoadExchange, own: Option<usize>) -> Option<usize> {
        exchange.exchange(own).map(|load| load.own)
    }

    fn on_read(exchange: &LoadExchange, own: Option<usize>, age: Duration) {
        let at = Instant::now().checked_sub(age).unwrap();
        exchange.on_read(Reading { at, every: 1 }, own, &[word(7)]);
    }

    #[test]
    fn a_growing_node_compares_the_number_that_the_others_knew() {
        let exchange = LoadExchange::default();
        let on_read = |own| on_read(&exchange, own, Duration::ZERO);
        assert_eq!(own(&exchange, Some(10)), None);
        on_read(Some(10));
        assert_eq!(own(&exchange, Some(30)), Some(10));
        on_read(Some(30));
        assert_eq!(own(&exchange, Some(25)), Some(10));
        on_read(Some(25));
        assert_eq!(own(&exchange, Some(25)), Some(25));
    }

    #[test]
    fn between_two_readings_the_least_number_counts() {
        let exchange = LoadExchange::default();
        on_read(&exchange, Some(20), Duration::ZERO);
        exchange.on_published(Some(5));
        exchange.on_published(Some(30));
        on_read(&exchange, Some(40), Duration::ZERO);
        assert_eq!(own(&exchange, Some(40)), Some(5));
        exchange.on_published(None);
        assert_eq!(own(&exchange, None), None);
    }

    #[test]
    fn a_node_that_takes_no_clients_and_one_with_an_old_load_know_nothing() {
        let exchange = LoadExchange::default();
        on_read(&exchange, Some(10), Duration::ZERO);
        assert_eq!(own(&exchange, None), Some(10));
        on_read(&exchange, None, Duration::ZERO);
        assert_eq!(own(&exchange, None), None);
        on_read(&exchange, Some(10), Duration::from_secs(7));
        assert_eq!(own(&exchange, Some(10)), None);
    }

    #[test]
    fn the_number_to_publish_is_the_last_one_given() {
        let exchange = LoadExchange::default();
        assert_eq!(exchange.to_publish(), None);
        exchange.exchange(Some(3));
        exchange.exchange(Some(4));
        assert_eq!(exchange.to_publish(), Some(4));
        exchange.exchange(None);
        assert_eq!(exchange.to_publish(), None);
    }

    #[test]
    fn a_load_is_a_word_among_others() {
        assert_eq!(read("node=n1 connections=9 load=7"), Some(7));
        assert_eq!(read(&word(7)), Some(7));
        for other in ["", "node=n1 connections=9", "load=", "load=-1", "overload=7"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
