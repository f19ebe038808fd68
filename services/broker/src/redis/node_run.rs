//! One run of one node. Records of an earlier run of the same node are void.

use switchboard_protocol::NodeId;

/// A run of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeRun {
    pub(crate) node: NodeId,
    /// Random: differs in every run.
    pub(crate) incarnation: String,
}

impl NodeRun {
    /// The run that begins now.
    pub(crate) fn begin(node: NodeId) -> Self {
        Self {
            node,
            incarnation: format!("{:016x}", rand::random::<u64>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_one_node_differ() {
        let run = || NodeRun::begin(NodeId::new("n1").unwrap());
        let (first, second) = (run(), run());
        assert_ne!(first.incarnation, second.incarnation);
        assert_eq!(first.incarnation.len(), 16);
    }
}
