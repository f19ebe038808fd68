//! How the connections are spread over the nodes.

/// Connections of the nodes that take clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterLoad {
    /// The smaller of the last two counts that this node published, because the counts of the others are older.
    pub own: usize,
    /// Connections of the others, in no order.
    pub others: Vec<usize>,
}

impl ClusterLoad {
    /// The most nodes that are counted.
    pub const MAX_NODES: usize = 1024;

    /// Connections of a node, on average.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let sum = self
            .others
            .iter()
            .fold(self.own, |sum, count| sum.saturating_add(*count));
        sum as f64 / (self.others.len() + 1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_counts_this_node_too() {
        let load = |own, others: &[usize]| ClusterLoad {
            own,
            others: others.to_vec(),
        };
        assert_eq!(load(30, &[]).mean(), 30.0);
        assert_eq!(load(30, &[0, 60]).mean(), 30.0);
        assert_eq!(
            load(1, &[usize::MAX]).mean(),
            usize::MAX as f64 / 2.0,
            "no overflow"
        );
    }
}
