//! Rebalancing: whether a node has more than its share of the cluster's connections (`policy`), and which of its
//! clients it asks to move (`candidates`). Not the drain of a node that stops, which is the edge's.

pub(crate) mod candidates;
pub(crate) mod policy;

pub use candidates::{MaxAge, Rebalance};
pub use policy::{RebalancePolicy, RebalanceRate, RebalanceRules};
