//! The background's claims: those that no attach makes – after an outage, and when an attach gave up – and the
//! work that waited for Redis. The members of rooms follow the claims (`room_repair`). Not the claims of an attach (`attach`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_core::{BrokerError, BrokerEvents, PreviousOwner};
use switchboard_protocol::{NodeMessage, PeerKey, SessionId};
use tokio::sync::oneshot;

use super::{interpret::claimed, pending::Pending, room_repair, rooms, state::Shard};
use crate::{
    partition::Partition,
    redis::{
        claim::LocalClaim,
        command::{Command, script_call::ScriptCall},
        periods::LEASE,
        record::{Claimed, Reasserted},
    },
};

/// Claims in flight at once: paces the thousands that an outage leaves, because messages have to pass between them.
const MAX_CLAIMS_IN_FLIGHT: usize = 256;

/// How often to try again while something could not be done.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Standing claims that each round without other work compares with their records, because Redis may lose single
/// records by eviction.
const SAMPLE: usize = 16;

/// How long stored messages stay that a claim of the background found, until they are delivered.
const STORED_WINDOW: Duration = Duration::from_secs(60);

/// An awaited answer.
enum Answer {
    Claim(oneshot::Receiver<Result<Claimed, BrokerError>>),
    Reassert(oneshot::Receiver<Result<Reasserted, BrokerError>>),
}

/// Works until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>, events: Arc<dyn BrokerEvents>) {
    let mut sampled = 0;
    let mut all_checked_at = None;
    loop {
        // Notified or not, there may be work.
        let _ = tokio::time::timeout(RETRY_EVERY, shard.claim_work.notified()).await;
        let Pending {
            releases,
            leaves,
            refused,
            takeovers,
        } = shard.pending.take();
        for takeover in takeovers {
            events.on_node_message(takeover.encode().into());
        }
        for join in refused {
            rooms::refuse(events.as_ref(), &join, BrokerError::Unavailable);
        }
        for release in releases {
            // Pending again if it still cannot be sent.
            shard.release(release);
        }
        for leave in leaves {
            rooms::leave_later(&shard, leave);
        }
        if shard.health.is_publisher_up() {
            claim_all(&shard, events.as_ref()).await;
            if shard.tables.lock().claims.due() == 0 {
                room_repair::run(&shard, events.as_ref()).await;
            }
            let is_missing = check_sample(&shard, events.as_ref(), &mut sampled).await;
            // All at most once in a lease: a Redis that evicts would have them written all the time.
            let may_check_all = all_checked_at.is_none_or(|at: Instant| at.elapsed() >= LEASE);
            if is_missing && may_check_all {
                all_checked_at = Some(Instant::now());
                tracing::warn!(node = %shard.node(), server = shard.health.server(), "Redis lost records of this node's peers: all are written again");
                shard.records_lost(&mut shard.tables.lock());
            }
        }
    }
}

/// Writes a few standing claims again, the next ones in each round; returns whether a record was missing.
async fn check_sample(shard: &Shard, events: &dyn BrokerEvents, sampled: &mut usize) -> bool {
    let claims = shard.tables.lock().claims.sample(sampled, SAMPLE);
    let mut is_missing = false;
    for claim in claims {
        let Ok((epoch, Answer::Reassert(answer))) = send(shard, claim.clone()) else {
            continue;
        };
        if let Ok(Ok(reasserted)) = answer.await {
            is_missing |= reasserted == Reasserted::WasMissing;
            on_reasserted(shard, events, &claim, epoch, reasserted);
        }
    }
    is_missing
}

fn on_reasserted(
    shard: &Shard,
    events: &dyn BrokerEvents,
    claim: &LocalClaim,
    epoch: u32,
    reasserted: Reasserted,
) {
    match reasserted {
        Reasserted::Outdone(fence) => yield_to(shard, events, &claim.key, claim.session(), fence),
        Reasserted::WasMissing => confirm_again(shard, claim, epoch),
        Reasserted::Stands(previous) => {
            confirm_again(shard, claim, epoch);
            if let Some(previous) = previous.filter(|previous| previous.session != claim.session()) {
                displace(shard, claim, previous);
            }
        }
    }
}

/// The record named an owner with a lower fence: Redis had lost this claim, and its clock went back.
fn displace(shard: &Shard, claim: &LocalClaim, previous: PreviousOwner) {
    let takeover = NodeMessage::Takeover {
        key: claim.key.clone(),
        session: previous.session,
        fence: claim.fence,
    };
    let command = Command::PublishToNode {
        node: previous.node,
        message: takeover.encode(),
    };
    if let Err(error) = shard.send(command) {
        tracing::debug!(%error, "a node was not informed that it lost a session; its own check finds it");
    }
}

async fn claim_all(shard: &Shard, events: &dyn BrokerEvents) {
    let due = shard.tables.lock().claims_to_make();
    let count = due.len();
    for chunk in due.chunks(MAX_CLAIMS_IN_FLIGHT) {
        let mut in_flight = Vec::with_capacity(chunk.len());
        let mut is_cut_short = false;
        for claim in chunk {
            match send(shard, claim.clone()) {
                Ok((epoch, answer)) => in_flight.push((claim, epoch, answer)),
                // Given up since the list was made.
                Err(
                    BrokerError::Refused
                    | BrokerError::Superseded
                    | BrokerError::NotResumable
                    | BrokerError::BadCursor
                    | BrokerError::OtherVersion
                    | BrokerError::InUse,
                ) => {}
                Err(BrokerError::Unavailable | BrokerError::QueueFull | BrokerError::Unsettled) => {
                    is_cut_short = true;
                    break;
                }
            }
        }
        for (claim, epoch, answer) in in_flight {
            match answer {
                Answer::Claim(answer) => {
                    if let Ok(Ok(claimed)) = answer.await {
                        claimed::adopt(shard, claim, claimed, epoch, events);
                    }
                }
                Answer::Reassert(answer) => {
                    if let Ok(Ok(reasserted)) = answer.await {
                        on_reasserted(shard, events, claim, epoch, reasserted);
                    }
                }
            }
        }
        if is_cut_short {
            // The queue is full or Redis is gone again; the next round goes on.
            return;
        }
    }
    if count > 0 {
        tracing::info!(node = %shard.node(), server = shard.health.server(), claims = count, "claims were made again after an interruption");
    }
    unpause(shard);
}

fn send(shard: &Shard, claim: LocalClaim) -> Result<(u32, Answer), BrokerError> {
    if claim.fence == 0 {
        let (sender, answer) = oneshot::channel();
        let epoch = shard.send_claim(claim, |claim, epoch| ScriptCall::Claim {
            claim,
            // The welcome said that the session is new.
            resume: false,
            window: STORED_WINDOW,
            epoch,
            answer: sender,
        })?;
        Ok((epoch, Answer::Claim(answer)))
    } else {
        let (sender, answer) = oneshot::channel();
        let epoch = shard.send_claim(claim, |claim, _| ScriptCall::Reassert {
            claim,
            answer: sender,
        })?;
        Ok((epoch, Answer::Reassert(answer)))
    }
}

/// The record names the session again. If the session was given up meanwhile, its release or detach was queued behind
/// this call, so it is carried out after it.
fn confirm_again(shard: &Shard, claim: &LocalClaim, epoch: u32) {
    let (key, session) = (&claim.key, claim.session());
    shard.at(Partition::of(key.as_str()), |_, tables| {
        tables.claims.confirm_again(key, session, epoch)
    });
}

/// Another node has claimed the peer with a higher fence: this one always yields.
fn yield_to(shard: &Shard, events: &dyn BrokerEvents, key: &PeerKey, session: SessionId, fence: u64) {
    let gave_up = shard.at(Partition::of(key.as_str()), |shard, tables| {
        shard.subscription_changes.notify_one();
        tables.give_up(key, session, 0)
    });
    if gave_up.is_none() {
        return;
    }
    let message = NodeMessage::Takeover {
        key: key.clone(),
        session,
        fence,
    };
    events.on_node_message(message.encode().into());
}

/// Once every claim was checked under a live lease, messages may come in again. Without a pause no claim was
/// checked for the lease's sake, so nothing is concluded.
fn unpause(shard: &Shard) {
    let mut tables = shard.tables.lock();
    if !tables.subscriptions.is_paused() || tables.claims.due() > 0 || shard.lease.is_overdue() {
        return;
    }
    if shard.lease.check_ended() {
        tables.subscriptions.unpause();
        drop(tables);
        shard.subscription_changes.notify_one();
    } else {
        shard.lease.check_begins();
        tables.pause();
    }
}
