//! Which wire version each other node has, as far as it has said so. Not the records that say it (`broker::node_record`).

use hashbrown::HashMap;
use parking_lot::RwLock;
use switchboard_protocol::{NodeId, WireVersion};

use crate::broker::node_record::NodeRecord;

/// The versions. Bounded by `ClusterLoad::MAX_NODES`, as the records are.
#[derive(Debug, Default)]
pub(crate) struct WireVersions(RwLock<HashMap<String, WireVersion>>);

impl WireVersions {
    /// The records of the other nodes. A node that is not among them has ended, or has not said anything yet.
    pub(crate) fn set(&self, records: &[NodeRecord]) {
        let versions = records.iter().map(|record| (record.node.clone(), record.wire));
        let versions: HashMap<_, _> = versions.collect();
        let mut known = self.0.write();
        if *known != versions {
            *known = versions;
        }
    }

    /// Whether `node` knows messages that came with the version `since`. Of a node that is not known only the oldest is.
    pub(crate) fn knows(&self, node: &NodeId, since: WireVersion) -> bool {
        let known = || self.0.read().get(node.as_str()).copied().unwrap_or_default();
        since == WireVersion::UNSAID || since <= known()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_gets_only_messages_that_its_version_knows() {
        let versions = WireVersions::default();
        let record = |node: &str, wire| NodeRecord {
            node: node.into(),
            wire: WireVersion(wire),
            ..NodeRecord::default()
        };
        let earlier = NodeRecord::parse("node=n1 connections=3").unwrap();
        versions.set(&[earlier, record("n2", 1), record("n3", 2)]);
        let knows = |node: &str, since| versions.knows(&NodeId::new(node).unwrap(), WireVersion(since));
        assert_eq!(["n1", "n2", "n3", "n4"].map(|node| knows(node, 0)), [true; 4]);
        assert_eq!(
            ["n1", "n2", "n3", "n4"].map(|node| knows(node, 1)),
            [false, true, true, false]
        );
        assert_eq!(
            ["n1", "n2", "n3", "n4"].map(|node| knows(node, 2)),
            [false, false, true, false]
        );
        versions.set(&[]);
        assert!(
            !knows("n3", 1),
            "a node that has ended may come back as an earlier version"
        );
    }
}
