//! The background's claims: those that no attach makes – after an outage, and when an attach gave up – and the
//! work that waited for Redis. Not the claims of an attach (`attach`).

use std::{sync::Arc, time::Duration};

use switchboard_core::{BrokerError, BrokerEvents};
use switchboard_protocol::{NodeMessage, PeerKey, SessionId};
use tokio::sync::oneshot;

use super::{interpret::claimed, pending::Pending, state::Shard};
use crate::redis::{claim::LocalClaim, command::script_call::ScriptCall, record::Claimed};

/// Claims in flight at once: paces the thousands that an outage leaves, because messages have to pass between them.
const MAX_CLAIMS_IN_FLIGHT: usize = 256;

/// How often to try again while something could not be done.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How long stored messages stay that a claim of the background found, until they are delivered.
const STORED_WINDOW: Duration = Duration::from_secs(60);

/// An awaited answer.
enum Answer {
    Claim(oneshot::Receiver<Result<Claimed, BrokerError>>),
    Reassert(oneshot::Receiver<Result<Option<u64>, BrokerError>>),
}

/// Works until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>, events: Arc<dyn BrokerEvents>) {
    loop {
        // Notified or not, there may be work.
        let _ = tokio::time::timeout(RETRY_EVERY, shard.claim_work.notified()).await;
        let Pending { releases, takeovers } = shard.pending.take();
        for takeover in takeovers {
            events.on_node_message(takeover.encode().into());
        }
        for release in releases {
            // Pending again if it still cannot be sent.
            shard.release(release);
        }
        if shard.health.is_publisher_up() {
            claim_all(&shard, events.as_ref()).await;
        }
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
                Answer::Reassert(answer) => match answer.await {
                    Ok(Ok(None)) => confirm_again(shard, claim, epoch),
                    Ok(Ok(Some(fence))) => yield_to(shard, events, &claim.key, claim.session(), fence),
                    Ok(Err(_)) | Err(_) => {}
                },
            }
        }
        if is_cut_short {
            // The queue is full or Redis is gone again; the next round goes on.
            return;
        }
    }
    if count > 0 {
        tracing::info!(claims = count, "claims were made again after an interruption");
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

/// The record names the session again. If the session was given up meanwhile, the record must not.
fn confirm_again(shard: &Shard, claim: &LocalClaim, epoch: u32) {
    let (key, session) = (&claim.key, claim.session());
    let is_owner = shard.tables.lock().claims.confirm_again(key, session, epoch);
    if !is_owner {
        shard.forget(key, session, 0);
    }
}

/// Another node has claimed the peer with a higher fence: this one always yields.
fn yield_to(shard: &Shard, events: &dyn BrokerEvents, key: &PeerKey, session: SessionId, fence: u64) {
    if shard.tables.lock().give_up(key, session, 0).is_none() {
        return;
    }
    shard.subscription_changes.notify_one();
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
