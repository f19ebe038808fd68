//! One attach: whoever holds the peer is asked first, if that is wanted; then subscribed and confirmed, then
//! claimed, within a deadline; whatever is missing then is left to the background. An attach that is dropped
//! half-way gives up what it took.

use std::time::Duration;

use futures_util::FutureExt as _;
use switchboard_core::{BrokerError, Claim, ClaimOutcome, ConflictPolicy};
use switchboard_protocol::{PeerKey, SessionId};
use switchboard_telemetry::RedisOp;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};

use super::{call::Call, command::Command, record::Claimed, shared::Shared, subscriber::desired::Holding};
use crate::asking;

/// How long an attach may take before it goes on in the background.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long a resume waits for a connection to Redis that is being built anew.
const REDIAL: Duration = Duration::from_secs(1);

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What an attach has taken; dropping it unfinished gives it back.
struct Attaching<'a> {
    shared: &'a Shared,
    key: &'a PeerKey,
    session: SessionId,
    displaced: Option<SessionId>,
    may_wait: bool,
    is_finished: bool,
}

/// Subscribes to `key` and claims it.
pub(crate) async fn attach(
    shared: &Shared,
    key: &PeerKey,
    claim: Claim,
) -> Result<ClaimOutcome, BrokerError> {
    if claim.resume && !is_connected_soon(shared).await {
        // Nobody can say whether that session is still there.
        return Err(BrokerError::NotResumable);
    }
    let look = || holder(shared, key).boxed();
    asking::ask(&claim, look, |holder| {
        question(shared, key, claim.on_conflict, holder)
    })
    .await?;
    shared.note_window(claim.window);
    let deadline = Instant::now() + DEADLINE;
    let session = claim.token.session;
    let wanted = shared.desired.lock().want(key, claim.token);
    let attaching = Attaching {
        shared,
        key,
        session,
        displaced: wanted.displaced.filter(|displaced| *displaced != session),
        may_wait: !claim.resume,
        is_finished: false,
    };
    shared.changes.notify_one();
    if !shared.health.is_connected() {
        return attaching.leave();
    }
    if let Some(confirmation) = wanted.confirmation {
        let since = Instant::now();
        let is_confirmed = matches!(timeout_at(deadline, confirmation).await, Ok(Ok(())));
        shared
            .telemetry
            .redis_command(RedisOp::Subscribe, since.elapsed(), is_confirmed);
        if !is_confirmed {
            // Lost connection, another session, or too late: the table knows which.
            return attaching.leave();
        }
    }
    let (sender, answer) = oneshot::channel();
    let holding = Holding::to_claim(key.clone(), claim.token, 0);
    let sent = shared.send_claim(holding, |holding, epoch| Call::Claim {
        holding,
        resume: claim.resume,
        window: claim.window,
        epoch,
        answer: sender,
    });
    let Ok(epoch) = sent else {
        return attaching.leave();
    };
    match timeout_at(deadline, answer).await {
        Ok(Ok(Ok(claimed))) => attaching.claimed(claimed, epoch),
        Ok(Ok(Err(
            error @ (BrokerError::Refused
            | BrokerError::Superseded
            | BrokerError::NotResumable
            | BrokerError::InUse),
        ))) => Err(error),
        Ok(Ok(Err(BrokerError::Unavailable | BrokerError::QueueFull | BrokerError::Unsettled)))
        | Ok(Err(_))
        | Err(_) => attaching.leave(),
    }
}

/// Whether Redis can be asked within [`REDIAL`]: a session is worth the wait for a connection that was cut.
async fn is_connected_soon(shared: &Shared) -> bool {
    let deadline = Instant::now() + REDIAL;
    while !shared.health.is_connected() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK_EVERY).await;
    }
    true
}

/// Who holds the peer; nobody, as far as this node can tell, while Redis is away.
async fn holder(shared: &Shared, key: &PeerKey) -> Result<Option<asking::Holder>, BrokerError> {
    let (answer, holder) = oneshot::channel();
    let key = key.clone();
    if shared.send(Command::Holder { key, answer }).is_err() {
        return Ok(None);
    }
    let holder = match holder.await {
        Ok(Ok(holder)) => holder,
        Ok(Err(BrokerError::Refused)) => return Err(BrokerError::Refused),
        Ok(Err(_)) | Err(_) => None,
    };
    Ok(holder.map(|holder| asking::Holder {
        is_here: holder.node == shared.node && holder.incarnation == shared.lease.incarnation(),
        session: SessionId::parse(&holder.session).ok(),
        node: holder.node,
        is_attached: holder.is_attached,
        alive: holder.alive,
    }))
}

fn question(shared: &Shared, key: &PeerKey, if_held: ConflictPolicy, holder: asking::Holder) {
    let Some(question) = holder.session.and_then(|session| if_held.question(key, session)) else {
        return;
    };
    let (node, message) = (holder.node, question.encode());
    if let Err(error) = shared.send(Command::Inbox { node, message }) {
        tracing::debug!(%error, "the holder of a peer could not be asked");
    }
}

impl Attaching<'_> {
    fn claimed(mut self, claimed: Claimed, epoch: u32) -> Result<ClaimOutcome, BrokerError> {
        let Claimed {
            fence,
            previous,
            snapshot: saved,
            offline_queue: mail,
        } = claimed;
        if !self
            .shared
            .desired
            .lock()
            .claimed(self.key, self.session, fence, epoch)
        {
            return Err(BrokerError::Superseded);
        }
        self.is_finished = true;
        Ok(ClaimOutcome {
            fence,
            confirmed: true,
            previous,
            snapshot: saved,
            offline_queue: mail,
        })
    }

    /// Leaves the rest to the background; refused when another session of this node took the peer meanwhile,
    /// and for a resume, which only Redis can grant.
    fn leave(mut self) -> Result<ClaimOutcome, BrokerError> {
        if !self.may_wait {
            return Err(BrokerError::NotResumable);
        }
        let is_ours = self.shared.desired.lock().leave(self.key, self.session);
        self.is_finished = is_ours;
        if !is_ours {
            return Err(BrokerError::Superseded);
        }
        self.shared.chores.notify_one();
        Ok(ClaimOutcome::default())
    }
}

impl Drop for Attaching<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let given_up = self.shared.desired.lock().unwant(self.key, self.session);
        if given_up.is_none() {
            return;
        }
        self.shared.changes.notify_one();
        if self.may_wait {
            self.shared.release(self.key, self.session, 0);
        }
        if let Some(displaced) = self.displaced {
            self.shared.tell_lost(self.key.clone(), displaced, 0);
        }
    }
}
