//! One attach: a conflict with another owner is resolved first; then the peer is subscribed and confirmed, then
//! claimed, within a deadline. The background does the rest (`claim_worker`). An attach that is dropped half-way
//! gives up what it took.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use switchboard_core::{BrokerError, Claim, ClaimOutcome, ConflictPolicy};
use switchboard_protocol::{PeerKey, SessionId};
use switchboard_telemetry::RedisOp;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};

use super::{
    claim::LocalClaim,
    command::{Command, script_call::ScriptCall},
    record::Claimed,
    session_end::owner_of,
    shard::state::Shard,
    topology::Topology,
};
use crate::{conflict, partition::Partition};

/// How long an attach may take before it goes on in the background.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long a resume waits for a connection to Redis that is being rebuilt.
const REBUILD_PATIENCE: Duration = Duration::from_secs(1);

/// How long a resume is tried again whose connection was lost on the way. A node needs 3 s to notice that it is deaf, and
/// clients wait ten for the answer.
const RESUME_WITHIN: Duration = Duration::from_secs(4);

/// How often it checks the connection.
const CHECK_EVERY: Duration = Duration::from_millis(10);

/// A peer that an attach has taken; dropping it unfinished returns the peer.
struct Attach<'a> {
    topology: &'a Topology,
    partition: Partition,
    key: &'a PeerKey,
    session: SessionId,
    displaced: Option<SessionId>,
    /// Only Redis can grant a resume, so it cannot be left to the background.
    is_resume: bool,
    is_finished: bool,
}

/// Subscribes to `key` and claims it.
pub(crate) async fn attach(
    topology: &Topology,
    key: &PeerKey,
    claim: Claim,
) -> Result<ClaimOutcome, BrokerError> {
    if !claim.resume {
        return attach_once(topology, key, &claim).await;
    }
    let partition = Partition::of(key.as_str());
    let until = Instant::now() + RESUME_WITHIN;
    // Without Redis nothing is known of that session.
    while is_connected_soon(|| topology.shard_of(partition)).await {
        match attach_once(topology, key, &claim).await {
            Err(BrokerError::Unavailable) if Instant::now() < until => sleep(CHECK_EVERY).await,
            Err(BrokerError::Unavailable) => break,
            done => return done,
        }
    }
    Err(BrokerError::NotResumable)
}

async fn attach_once(topology: &Topology, key: &PeerKey, claim: &Claim) -> Result<ClaimOutcome, BrokerError> {
    let partition = Partition::of(key.as_str());
    // Anew for each step: the partition may move meanwhile, with what this attach has in the tables.
    let current = || topology.shard_of(partition);
    let is_resume = claim.resume;
    let read_owner = || async move { read_owner(&current(), key, is_resume).await }.boxed();
    conflict::resolve(claim, read_owner, |owner| {
        ask(&current(), key, claim.on_conflict, owner)
    })
    .await?;
    let deadline = Instant::now() + DEADLINE;
    let session = claim.token.session;
    let taken = topology.at(partition, |shard, tables| {
        shard.note_window(claim.window);
        shard.subscription_changes.notify_one();
        tables.take(key, claim.token)
    });
    let attach = Attach {
        topology,
        partition,
        key,
        session,
        displaced: taken.displaced.filter(|displaced| *displaced != session),
        is_resume,
        is_finished: false,
    };
    if !current().health.is_connected() {
        return attach.leave_to_background();
    }
    if let Some(confirmation) = taken.confirmation {
        let since = Instant::now();
        let is_confirmed = matches!(timeout_at(deadline, confirmation).await, Ok(Ok(())));
        current()
            .telemetry
            .redis_command(RedisOp::Subscribe, since.elapsed(), is_confirmed);
        if !is_confirmed {
            // Lost connection, another session, or too late: the table knows which.
            return attach.leave_to_background();
        }
    }
    let (sender, answer) = oneshot::channel();
    let local = LocalClaim {
        key: key.clone(),
        token: claim.token,
        fence: 0,
    };
    let sent = current().send_claim(local, |local, epoch| ScriptCall::Claim {
        claim: local,
        resume: is_resume,
        window: claim.window,
        epoch,
        answer: sender,
    });
    let Ok(epoch) = sent else {
        return attach.leave_to_background();
    };
    match timeout_at(deadline, answer).await {
        Ok(Ok(Ok(claimed))) => attach.finish(claimed, epoch),
        Ok(Ok(Err(
            error @ (BrokerError::Refused
            | BrokerError::Superseded
            | BrokerError::NotResumable
            | BrokerError::BadCursor
            | BrokerError::OtherVersion
            | BrokerError::InUse),
        ))) => Err(error),
        Ok(Ok(Err(BrokerError::Unavailable | BrokerError::QueueFull | BrokerError::Unsettled)))
        | Ok(Err(_))
        | Err(_) => attach.leave_to_background(),
    }
}

/// Whether Redis can be asked within [`REBUILD_PATIENCE`]: a session is worth the wait for a lost connection.
async fn is_connected_soon(current: impl Fn() -> Arc<Shard>) -> bool {
    let deadline = Instant::now() + REBUILD_PATIENCE;
    while !current().health.is_connected() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(CHECK_EVERY).await;
    }
    true
}

/// The owner of the peer. While Redis is away there is none, as far as this node can tell; but a resume needs to know.
async fn read_owner(
    shard: &Shard,
    key: &PeerKey,
    is_resume: bool,
) -> Result<Option<conflict::Owner>, BrokerError> {
    match owner_of(shard, key).await {
        Err(BrokerError::Refused) => Err(BrokerError::Refused),
        Err(BrokerError::Unavailable) if is_resume => Err(BrokerError::Unavailable),
        other => Ok(other.unwrap_or_default()),
    }
}

fn ask(shard: &Shard, key: &PeerKey, policy: ConflictPolicy, owner: conflict::Owner) {
    let Some(question) = owner.session.and_then(|session| policy.question(key, session)) else {
        return;
    };
    let (node, message) = (owner.node, question.encode());
    if let Err(error) = shard.send(Command::PublishToNode { node, message }) {
        tracing::debug!(%error, "the owner of a peer could not be asked");
    }
}

impl Attach<'_> {
    fn finish(mut self, claimed: Claimed, epoch: u32) -> Result<ClaimOutcome, BrokerError> {
        let Claimed {
            fence,
            previous,
            snapshot,
            stored,
            rooms,
        } = claimed;
        let is_owner = self.topology.at(self.partition, |_, tables| {
            tables.claims.confirm(self.key, self.session, fence, epoch)
        });
        if !is_owner {
            return Err(BrokerError::Superseded);
        }
        self.is_finished = true;
        Ok(ClaimOutcome {
            fence,
            confirmed: true,
            previous,
            snapshot,
            offline_queue: stored,
            rooms,
        })
    }

    /// Leaves the rest to the background; refused when another session of this node took the peer meanwhile, and
    /// for a resume, which may be tried again.
    fn leave_to_background(mut self) -> Result<ClaimOutcome, BrokerError> {
        if self.is_resume {
            return Err(BrokerError::Unavailable);
        }
        let is_owner = self.topology.at(self.partition, |shard, tables| {
            shard.claim_work.notify_one();
            tables.leave_to_background(self.key, self.session)
        });
        self.is_finished = is_owner;
        if !is_owner {
            return Err(BrokerError::Superseded);
        }
        Ok(ClaimOutcome::default())
    }
}

impl Drop for Attach<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        self.topology.at(self.partition, |shard, tables| {
            if tables.give_up(self.key, self.session, 0).is_none() {
                return;
            }
            shard.subscription_changes.notify_one();
            if !self.is_resume {
                shard.forget(self.key, self.session, 0);
            }
            if let Some(displaced) = self.displaced {
                shard.announce_takeover(self.key.clone(), displaced, 0);
            }
        });
    }
}
