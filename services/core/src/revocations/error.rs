//! Why tokens were not revoked.

use crate::broker::error::BrokerError;

/// Why tokens were not revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// The tenant has as many revocations as it may have, or all tenants have.
    #[error("there are too many revocations; at most {max} of one tenant may be in force")]
    Full {
        /// The bound of one tenant.
        max: usize,
    },
    /// This node has not read the revocations yet.
    #[error("the node does not know the revocations in force yet")]
    Unknown,
    /// The broker did not take it.
    #[error("{0}")]
    Broker(#[from] BrokerError),
}
