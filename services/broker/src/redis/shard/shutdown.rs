//! The end of a shard: queued commands are carried out, then every claim is released, so that others need not wait
//! for the lease to run out.

use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::Pipeline;
use tokio::{sync::oneshot, time::timeout};

use super::state::Shard;
use crate::{
    partition::Partition,
    redis::{
        claim::Release,
        command::{Command, claims},
        detours::Drain,
        pool,
    },
};

/// Claims released in one pipeline.
const RELEASES_PER_PIPELINE: usize = 512;

/// How long the queued commands may take. A server that is frozen must not cost the others their releases.
const FLUSH_WITHIN: Duration = Duration::from_millis(700);

/// Returns once all commands queued so far are carried out, or the server is too slow.
pub(crate) async fn flush(shard: &Shard) {
    let (sender, flushed) = oneshot::channel();
    if shard.send(Command::Flush(sender)).is_ok() {
        // An error means that the publisher ended, or that time is up; there is nothing left to wait for.
        let _ = timeout(FLUSH_WITHIN, flushed).await;
    }
}

impl Drain for Shard {
    fn drain(&self) -> BoxFuture<'_, ()> {
        Box::pin(flush(self))
    }

    fn home(&self) -> Option<Partition> {
        self.caller.names.home()
    }
}

/// How long members that this node leaves behind stay in their rooms, so that their sessions can be resumed elsewhere.
fn stay_of_members(shard: &Shard) -> Duration {
    if !shard.tables.lock().rooms.has_members() {
        return Duration::ZERO;
    }
    // At least a second: zero means that there are none.
    let window = shard.resume_window().unwrap_or_default();
    window.max(Duration::from_secs(1))
}

/// Releases every claim, then the lease. The shard's tasks have ended.
///
/// # Errors
/// Why Redis did not take it, for people.
pub(crate) async fn release_all(shard: &Shard) -> Result<(), String> {
    let confirmed = shard.tables.lock().claims.list_confirmed();
    for chunk in confirmed.chunks(RELEASES_PER_PIPELINE) {
        let mut pipeline = Pipeline::with_capacity(chunk.len());
        for claim in chunk {
            let release = Release {
                key: claim.key.clone(),
                session: claim.session(),
                fence: claim.fence,
                retention: shard.retention_at_shutdown(),
            };
            pipeline.add_command(claims::write_release(&shard.caller, &release, true));
        }
        pool::query::<Vec<u64>>(&shard.pool, &pipeline).await?;
    }
    let mut pipeline = Pipeline::with_capacity(1);
    pipeline.add_command(
        shard
            .lease
            .write_end(&shard.caller.scripts, stay_of_members(shard)),
    );
    pool::query::<Vec<u64>>(&shard.pool, &pipeline).await.map(drop)
}
