//! Sentinel: one Redis server at a time serves every partition, and Sentinels say which. `ask` is the question to one
//! Sentinel, `election` whom to believe, `watch` what follows.

mod ask;
mod election;
mod watch;

use std::sync::Arc;

use super::table::Topology;
use crate::redis::{config::RedisConfigError, endpoint::Endpoint, shard::starter::Starter};

/// Starts the only shard, and the watch over its place. The first endpoint is the server, the others are the Sentinels.
pub(super) fn open(
    master: &str,
    endpoints: &[Endpoint],
    starter: &Starter,
) -> Result<Arc<Topology>, RedisConfigError> {
    let (Some((server, sentinels)), Some(place)) = (
        endpoints.split_first(),
        endpoints.first().and_then(Endpoint::place),
    ) else {
        return Err(RedisConfigError::UrlCount("one URL or more"));
    };
    let shard = starter.start(server.clone())?;
    starter.spawn(watch::run(
        master.to_owned(),
        sentinels.to_vec(),
        place,
        Arc::clone(&shard),
    ));
    Ok(Topology::single(shard))
}
