//! Records of calls that must not be carried out twice, shared by all nodes: a server repeats a call whose answer it
//! did not get, and any node may take the repetition. Not what a call does, and not what a record says.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::error::BrokerError;

/// The records of a cluster. Each ends by itself.
pub trait CallRecords: Send + Sync + 'static {
    /// Writes `record` under `name` for `ttl` unless there is one, which is returned.
    ///
    /// # Errors
    /// [`BrokerError`] when that is not known; [`BrokerError::QueueFull`] when there are too many records.
    fn begin(
        &self,
        name: String,
        record: String,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<String>, BrokerError>>;

    /// Replaces the record under `name`.
    ///
    /// # Errors
    /// [`BrokerError`] when that is not known.
    fn replace(&self, name: String, record: String, ttl: Duration) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Removes the record under `name`.
    ///
    /// # Errors
    /// [`BrokerError`] when that is not known.
    fn remove(&self, name: String) -> BoxFuture<'_, Result<(), BrokerError>>;
}
