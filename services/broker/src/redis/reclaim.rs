//! The background's chores: claims that no attach is waiting for – after an outage, and when an attach gave
//! up – and what had to be kept until Redis was back. Not the claims of an attach (`attach`).

use std::{sync::Arc, time::Duration};

use switchboard_core::{BrokerError, BrokerEvents};
use switchboard_protocol::{NodeMessage, PeerKey, SessionId};
use tokio::sync::oneshot;

use super::{
    call::Call,
    record::Claimed,
    shared::{Kept, Shared},
    subscriber::desired::Holding,
};

/// Claims under way at once: paces the thousands that an outage leaves, so that messages pass between them.
const MAX_CLAIMS_UNDER_WAY: usize = 256;

/// How often to look again while something could not be done.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How long letters stay that were found by a claim of the background, until they are delivered.
const MAIL_KEPT: Duration = Duration::from_secs(60);

/// An answer that is awaited.
enum Asked {
    Claim(oneshot::Receiver<Result<Claimed, BrokerError>>),
    Reassert(oneshot::Receiver<Result<Option<u64>, BrokerError>>),
}

/// Does the chores until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>, events: Arc<dyn BrokerEvents>) {
    loop {
        // Either way it is only a reason to look.
        let _ = tokio::time::timeout(RETRY_EVERY, shared.chores.notified()).await;
        let Kept { letting_go, lost } = shared.take_kept();
        for message in lost {
            events.on_node_message(message.encode().into());
        }
        for letting_go in letting_go {
            // Kept again if it still cannot be sent.
            shared.let_go(letting_go);
        }
        if shared.health.is_link_up() {
            claim_all(&shared, events.as_ref()).await;
        }
    }
}

async fn claim_all(shared: &Shared, events: &dyn BrokerEvents) {
    let due = shared.desired.lock().to_claim();
    let all = due.len();
    for chunk in due.chunks(MAX_CLAIMS_UNDER_WAY) {
        let mut asked = Vec::with_capacity(chunk.len());
        let mut is_cut_short = false;
        for holding in chunk {
            match ask(shared, holding.clone()) {
                Ok((epoch, answer)) => asked.push((holding, epoch, answer)),
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
        for (holding, epoch, answer) in asked {
            let Holding { key, session, .. } = holding;
            match answer {
                Asked::Claim(answer) => {
                    if let Ok(Ok(claimed)) = answer.await {
                        shared.claim_landed(holding, claimed, epoch, events);
                    }
                }
                Asked::Reassert(answer) => match answer.await {
                    Ok(Ok(None)) => stands(shared, key, *session, epoch),
                    Ok(Ok(Some(fence))) => yield_to(shared, events, key, *session, fence),
                    Ok(Err(_)) | Err(_) => {}
                },
            }
        }
        if is_cut_short {
            // The queue is full or Redis is gone again; the next round goes on.
            return;
        }
    }
    if all > 0 {
        tracing::info!(claims = all, "claims were asserted after an interruption");
    }
    release_hold(shared);
}

fn ask(shared: &Shared, holding: Holding) -> Result<(u32, Asked), BrokerError> {
    if holding.fence == 0 {
        let (sender, answer) = oneshot::channel();
        // What was there before is not asked for: the client was told that its session is new.
        let epoch = shared.send_claim(holding, |holding, epoch| Call::Claim {
            holding,
            resume: false,
            window: MAIL_KEPT,
            epoch,
            answer: sender,
        })?;
        Ok((epoch, Asked::Claim(answer)))
    } else {
        let (sender, answer) = oneshot::channel();
        let epoch = shared.send_claim(holding, |holding, _| Call::Reassert {
            holding,
            answer: sender,
        })?;
        Ok((epoch, Asked::Reassert(answer)))
    }
}

/// The record says what it should; unless the session was given up meanwhile, then it must not.
fn stands(shared: &Shared, key: &PeerKey, session: SessionId, epoch: u32) {
    let is_ours = shared.desired.lock().reasserted(key, session, epoch);
    if !is_ours {
        shared.release(key, session, 0);
    }
}

/// Another node has claimed the peer with a higher fence: this one yields, always.
fn yield_to(shared: &Shared, events: &dyn BrokerEvents, key: &PeerKey, session: SessionId, fence: u64) {
    if shared.desired.lock().unwant(key, session).is_none() {
        return;
    }
    shared.changes.notify_one();
    let message = NodeMessage::Takeover {
        key: key.clone(),
        session,
        fence,
    };
    events.on_node_message(message.encode().into());
}

/// Once every claim was checked under a live lease, messages may come in again. Without a hold nothing was
/// checked for the lease's sake, so nothing is concluded either.
fn release_hold(shared: &Shared) {
    let mut desired = shared.desired.lock();
    if !desired.is_held() || desired.unclaimed() > 0 || shared.lease.is_overdue() {
        return;
    }
    if shared.lease.check_ended() {
        desired.release_hold();
        drop(desired);
        shared.changes.notify_one();
    } else {
        shared.lease.check_begins();
        desired.hold();
    }
}
