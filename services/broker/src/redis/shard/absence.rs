//! Whether a record that is not in Redis proves that nobody owns the peer. It does not while nodes write their records
//! again: after an outage, after a move of its partition, and after Redis has lost records although the connections stayed.
//! Of such a loss a node learns with the next renewal of its lease; who finds no record before asks for the lease at once.

use std::sync::Arc;

use redis::Pipeline;
use switchboard_core::BrokerError;

use super::state::Shard;
use crate::{
    partition::Partition,
    redis::{command::owner, periods::SETTLE, redirected},
};

impl Shard {
    /// Whether, by what this node knows, an absent record of `partition` can prove something; none: of any partition.
    pub(crate) fn absence_is_proof(&self, partition: Option<Partition>) -> Result<(), BrokerError> {
        if partition.is_some_and(|partition| !self.served.contains(partition)) {
            return Err(BrokerError::Unsettled);
        }
        let routing = self.routing();
        if routing.is_some_and(|routing| routing.is_disputed(partition)) {
            return Err(BrokerError::Unsettled);
        }
        self.health.settled_for(SETTLE)?;
        let tables = self.tables.lock();
        if tables.is_complete() && tables.has_settled(partition) {
            Ok(())
        } else {
            Err(BrokerError::Unsettled)
        }
    }

    /// The same, with this node's `lease` as it was read after the record: nothing was lost between the last renewal and
    /// that answer.
    pub(crate) fn absence_is_proved(
        &self,
        lease: Option<&str>,
        partition: Option<Partition>,
    ) -> Result<(), BrokerError> {
        if lease != Some(self.lease.incarnation()) {
            return Err(BrokerError::Unsettled);
        }
        self.absence_is_proof(partition)
    }

    /// Asks for the lease, and whether absence is proved.
    ///
    /// # Errors
    /// [`BrokerError::Unsettled`] while it is not; others when Redis does not say.
    pub(crate) async fn prove_absence(
        self: &Arc<Self>,
        partition: Option<Partition>,
    ) -> Result<(), BrokerError> {
        self.absence_is_proof(partition)?;
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(owner::write_lease(&self.caller, self.node()));
        let (lease,): (Option<String>,) =
            redirected::query_shard(self, &pipeline).await.map_err(|error| {
                tracing::debug!(%error, "it is not known whether Redis has lost records");
                BrokerError::Unavailable
            })?;
        self.absence_is_proved(lease.as_deref(), partition)
    }
}
