//! Pipelines on pooled connections that a Redis Cluster may send elsewhere: each command is sent again, where it belongs, within a
//! time. Not the publisher's commands, which keep an order (`detours`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Cmd, FromRedisValue, Pipeline, Value};
use tokio::time::sleep;

use super::{
    asking::Asking,
    detours::Redirect,
    pool::{self, Pool},
    shard::state::Shard,
};

/// How long commands are sent again.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause before that: meanwhile the map is read.
const PAUSE: Duration = Duration::from_millis(50);

/// The server for a pipeline at the moment.
pub(crate) enum Place {
    /// Over the connections of the shard.
    Of(Arc<Shard>),
    /// Over other connections to it.
    Over(Arc<Shard>, Arc<Pool>),
}

impl Place {
    fn parts(&self) -> (&Shard, &Pool) {
        match self {
            Self::Of(shard) => (shard, &shard.pool),
            Self::Over(shard, pool) => (shard, pool),
        }
    }
}

/// Sends `pipeline` to where `place` says; the error is for people.
pub(crate) async fn query<T: FromRedisValue>(
    place: impl Fn() -> Result<Place, String>,
    pipeline: &Pipeline,
) -> Result<T, String> {
    let replies = send(&place, pipeline).await?;
    pool::note_refusal(place()?.parts().1, &replies);
    let replies = Value::Array(replies)
        .extract_error()
        .map_err(|error| error.to_string())?;
    redis::from_redis_value(replies).map_err(|error| error.to_string())
}

/// The same to one shard, about keys of its own: they may be half moved.
pub(crate) async fn query_shard<T: FromRedisValue>(
    shard: &Arc<Shard>,
    pipeline: &Pipeline,
) -> Result<T, String> {
    query(|| Ok(Place::Of(Arc::clone(shard))), pipeline).await
}

async fn send(place: &impl Fn() -> Result<Place, String>, pipeline: &Pipeline) -> Result<Vec<Value>, String> {
    let since = Instant::now();
    let mut replies = pool::send(place()?.parts().1, pipeline).await?;
    loop {
        let redirected: Vec<(usize, Redirect)> = redirects(&replies);
        let first = place()?;
        let (Some(detours), Some((_, redirect))) = (&first.parts().0.detours, redirected.first()) else {
            return Ok(replies);
        };
        if since.elapsed() >= PATIENCE {
            return Ok(replies);
        }
        detours.stale.notify_one();
        let mut again = Pipeline::with_capacity(redirected.len());
        for (index, command) in pipeline.cmd_iter().enumerate() {
            if redirected.iter().any(|(redirected, _)| *redirected == index) {
                again.add_command(Cmd::clone(command));
            }
        }
        let next = match redirect {
            Redirect::Ask(address) => {
                let mut asking = Asking::default();
                asking.ask(first.parts().0, address.clone(), &again).await?
            }
            Redirect::Moved | Redirect::Later => {
                sleep(PAUSE).await;
                pool::send(place()?.parts().1, &again).await?
            }
        };
        for ((index, _), reply) in redirected.iter().zip(next) {
            replies[*index] = reply;
        }
    }
}

fn redirects(replies: &[Value]) -> Vec<(usize, Redirect)> {
    let redirected = replies.iter().enumerate().filter_map(|(index, reply)| {
        let Value::ServerError(error) = reply else {
            return None;
        };
        Some((index, Redirect::of_error(error)?))
    });
    redirected.collect()
}
