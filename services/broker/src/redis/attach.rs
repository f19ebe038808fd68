//! One attach: whoever holds the peer is asked first, if that is wanted; then subscribed and confirmed, then
//! claimed, within a deadline; whatever is missing then is left to the background. An attach that is dropped
//! half-way gives up what it took.

use std::time::Duration;

use switchboard_core::{Attached, BrokerError, Claim, IfHeld};
use switchboard_protocol::{PeerKey, SessionId};
use switchboard_telemetry::RedisOp;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout_at},
};

use super::{
    call::Call,
    command::Command,
    record::{Claimed, Holder},
    shared::Shared,
    subscriber::desired::Holding,
};

/// How long an attach may take before it goes on in the background.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often the record is looked at while its holder is asked.
const ASK_EVERY: Duration = Duration::from_millis(10);

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
pub(crate) async fn attach(shared: &Shared, key: &PeerKey, claim: Claim) -> Result<Attached, BrokerError> {
    if claim.resume && !shared.health.is_connected() {
        // Nobody can say whether that session is still there.
        return Err(BrokerError::NotResumable);
    }
    ask(shared, key, &claim).await?;
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
            | BrokerError::Held),
        ))) => Err(error),
        Ok(Ok(Err(BrokerError::Unavailable | BrokerError::QueueFull | BrokerError::Unsettled)))
        | Ok(Err(_))
        | Err(_) => attaching.leave(),
    }
}

/// Asks whoever holds the peer to let go, or to show that its client lives, as the claim wants it.
async fn ask(shared: &Shared, key: &PeerKey, claim: &Claim) -> Result<(), BrokerError> {
    let (within, is_refused) = match claim.if_held {
        IfHeld::Take => return Ok(()),
        IfHeld::AskThenTake(within) => (within, false),
        IfHeld::AskThenRefuse(within) => (within, true),
    };
    let deadline = Instant::now() + within;
    let mut before: Option<Option<String>> = None;
    loop {
        let holder = holder(shared, key).await?;
        let is_same = holder
            .as_ref()
            .is_some_and(|holder| SessionId::parse(&holder.session) == Ok(claim.token.session));
        if claim.resume && !is_same {
            // Before anything is touched: another session of the peer may live here.
            return Err(BrokerError::NotResumable);
        }
        let Some(holder) = holder.filter(|holder| {
            let is_here = holder.node == shared.node && holder.incarnation == shared.lease.incarnation();
            // A resume waits for its own session on another node; a wary claim for any other session.
            holder.is_attached && is_same != is_refused && (is_refused || !is_here)
        }) else {
            return Ok(());
        };
        match &before {
            None => {
                before = Some(holder.alive.clone());
                question(shared, key, claim.if_held, holder);
            }
            Some(alive) if is_refused && *alive != holder.alive => return Err(BrokerError::Held),
            Some(_) => {}
        }
        if Instant::now() >= deadline {
            return Ok(());
        }
        sleep(ASK_EVERY).await;
    }
}

/// Who holds the peer; nobody, as far as this node can tell, while Redis is away.
async fn holder(shared: &Shared, key: &PeerKey) -> Result<Option<Holder>, BrokerError> {
    let (answer, holder) = oneshot::channel();
    let key = key.clone();
    if shared.send(Command::Holder { key, answer }).is_err() {
        return Ok(None);
    }
    match holder.await {
        Ok(Ok(holder)) => Ok(holder),
        Ok(Err(BrokerError::Refused)) => Err(BrokerError::Refused),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}

fn question(shared: &Shared, key: &PeerKey, if_held: IfHeld, holder: Holder) {
    let session = SessionId::parse(&holder.session).ok();
    let Some(question) = session.and_then(|session| if_held.question(key, session)) else {
        return;
    };
    let message = question.encode();
    let node = holder.node;
    if let Err(error) = shared.send(Command::Inbox { node, message }) {
        tracing::debug!(%error, "the holder of a peer could not be asked");
    }
}

impl Attaching<'_> {
    fn claimed(mut self, claimed: Claimed, epoch: u32) -> Result<Attached, BrokerError> {
        let Claimed {
            fence,
            previous,
            saved,
            mail,
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
        Ok(Attached {
            fence,
            confirmed: true,
            previous,
            saved,
            mail,
        })
    }

    /// Leaves the rest to the background; refused when another session of this node took the peer meanwhile,
    /// and for a resume, which only Redis can grant.
    fn leave(mut self) -> Result<Attached, BrokerError> {
        if !self.may_wait {
            return Err(BrokerError::NotResumable);
        }
        let is_ours = self.shared.desired.lock().leave(self.key, self.session);
        self.is_finished = is_ours;
        if !is_ours {
            return Err(BrokerError::Superseded);
        }
        self.shared.chores.notify_one();
        Ok(Attached::default())
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
