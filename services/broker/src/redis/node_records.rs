//! What nodes say of themselves: so one node knows all of them when an operator asks it. Not how they hear it (`node_exchange`),
//! not the records (`switchboard_core::NodeRecord`).

use parking_lot::Mutex;
use switchboard_core::NodeRecord;

use super::{
    cluster_load,
    node_reading::{Reading, Received},
};

/// What this node publishes, and what it last received: at most `ClusterLoad::MAX_NODES` records.
#[derive(Debug, Default)]
pub(crate) struct RecordExchange(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    own: Option<NodeRecord>,
    received: Option<Received<Vec<NodeRecord>>>,
}

impl RecordExchange {
    /// Takes what to publish next, and gives what was received, while it is valid.
    pub(crate) fn exchange(&self, own: NodeRecord) -> Vec<NodeRecord> {
        let mut state = self.0.lock();
        state.own = Some(own);
        let valid = state.received.as_ref().and_then(Received::valid);
        valid.cloned().unwrap_or_default()
    }

    /// The text to publish, with the load of a node that takes clients. Empty if there is nothing to say.
    pub(super) fn to_publish(&self, load: Option<usize>) -> String {
        let record = self.0.lock().own.as_ref().map(NodeRecord::text);
        let words: Vec<String> = record.into_iter().chain(load.map(cluster_load::word)).collect();
        words.join(" ")
    }

    /// The texts of the others were read.
    pub(super) fn on_read(&self, reading: Reading, texts: &[String]) {
        let records = texts.iter().filter_map(|text| NodeRecord::parse(text));
        self.0.lock().received = Some(Received::new(records.collect(), reading));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_published_with_the_load_and_each_without_the_other() {
        let exchange = RecordExchange::default();
        assert_eq!(exchange.to_publish(None), "");
        assert_eq!(exchange.to_publish(Some(7)), "load=7");
        let record = NodeRecord {
            node: "n1".into(),
            ..NodeRecord::default()
        };
        exchange.exchange(record.clone());
        assert_eq!(exchange.to_publish(None), record.text());
        let text = exchange.to_publish(Some(7));
        assert!(text.ends_with(" load=7"), "{text}");
        assert_eq!(
            NodeRecord::parse(&text),
            Some(record),
            "earlier versions read it, too"
        );
    }
}
