//! What the nodes agree on: how many of the servers are in use. The first server has the number; the others have a copy for
//! nodes that start while it is down. Each server also knows its place in the list. Not what follows from a change
//! (`servers`).

use std::time::Duration;

use futures_util::future::join_all;
use redis::Pipeline;

use crate::redis::{
    periods::{LEASE, millis},
    pool,
    scripts::Script,
    shard::state::Shard,
};

/// How long before a change of the number all nodes know of it: each exchanges at least twice in this time.
const NOTICE: Duration = Duration::from_millis(3_000);

/// A change is not withdrawn later than this before it: nodes may not learn of that in time.
const WITHDRAW_BEFORE: Duration = Duration::from_millis(1_500);

/// The time between two changes: meanwhile what has moved is copied, and removed from where it was (`copy`).
const CHANGE_EVERY: Duration = Duration::from_secs(60);

/// The answer of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) in_use: usize,
    /// The next number, and the time until then.
    pub(super) next: Option<(usize, Duration)>,
}

/// Says that this node can use so many servers, and asks `first` for the number in use. If nobody has said it, it is `begin`.
///
/// # Errors
/// Why there is no answer, for people.
pub(super) async fn exchange(first: &Shard, usable: usize, begin: usize) -> Result<Agreed, String> {
    let mut call = first.caller.scripts.call(Script::ExchangeServers, 1, true);
    call.arg(first.caller.names.servers())
        .arg(first.node().as_str())
        .arg(usable)
        .arg(begin)
        .arg(millis(LEASE))
        .arg(millis(NOTICE))
        .arg(millis(WITHDRAW_BEFORE))
        .arg(millis(CHANGE_EVERY));
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(call);
    let ((in_use, next, wait_ms),): ((usize, usize, u64),) = pool::query(&first.pool, &pipeline).await?;
    let next = (next > 0).then(|| (next, Duration::from_millis(wait_ms)));
    Ok(Agreed { in_use, next })
}

/// The largest number that a server has a copy of.
pub(super) async fn read_copies(shards: &[impl AsRef<Shard>]) -> Option<usize> {
    let read = shards.iter().map(async |shard| {
        let shard = shard.as_ref();
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline
            .cmd("HGET")
            .arg(shard.caller.names.servers())
            .arg("in_use");
        let reply = pool::query::<(Option<usize>,)>(&shard.pool, &pipeline).await;
        reply.ok().and_then(|(count,)| count)
    });
    join_all(read).await.into_iter().flatten().max()
}

/// Gives every server but the first a copy of the number. One that is down gets it later.
pub(super) async fn write_copies(shards: &[impl AsRef<Shard>], in_use: usize) {
    let written = shards.iter().skip(1).map(async |shard| {
        let shard = shard.as_ref();
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline
            .cmd("HSET")
            .arg(shard.caller.names.servers())
            .arg("in_use")
            .arg(in_use);
        if let Err(error) = pool::query::<(u64,)>(&shard.pool, &pipeline).await {
            tracing::debug!(%error, "a server did not take the number of servers in use");
        }
    });
    join_all(written).await;
}

/// The place of the server in the list, as it knows it: `place`, unless it was another one before.
///
/// # Errors
/// Why there is no answer, for people.
pub(super) async fn place_of(shard: &Shard, place: usize) -> Result<usize, String> {
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline
        .cmd("SET")
        .arg(shard.caller.names.server_place())
        .arg(place)
        .arg("NX")
        .arg("GET");
    let (before,): (Option<usize>,) = pool::query(&shard.pool, &pipeline).await?;
    Ok(before.unwrap_or(place))
}
