//! Counts the rooms of tenants, for those whose rooms are bounded. Not the numbers themselves (`tenant_rooms`).

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use switchboard_core::BrokerError;
use tokio::time::sleep;

use super::{room_queries::ask, tenant_rooms::TenantRooms, topology::Topology};
use crate::partition::Partition;

/// How often the rooms of tenants are counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Counts until it is dropped.
pub(crate) async fn run(rooms: Arc<TenantRooms>, topology: Arc<Topology>) {
    loop {
        sleep(COUNT_EVERY).await;
        for (tenant, counted) in rooms.take_asked() {
            match count(&topology, &tenant).await {
                Ok(known) => rooms.counted(&tenant, known, counted),
                Err(error) => tracing::debug!(%error, "the rooms of a tenant were not counted"),
            }
        }
    }
}

/// How many rooms `tenant` has.
async fn count(topology: &Topology, tenant: &str) -> Result<u64, BrokerError> {
    let counts = Partition::all().map(|partition| {
        let shard = topology.shard_of(partition);
        let mut call = redis::cmd("ZCARD");
        call.arg(shard.caller.names.tenant_rooms(partition, tenant));
        async move { ask::<u64>(&shard, partition, call).await }
    });
    Ok(try_join_all(counts).await?.into_iter().sum())
}
