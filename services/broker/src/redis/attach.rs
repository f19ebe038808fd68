//! One attach: subscribed and confirmed, then claimed, within a deadline; whatever is missing then is left
//! to the background. An attach that is dropped half-way gives up what it took.

use std::time::Duration;

use switchboard_core::{Attached, BrokerError};
use switchboard_protocol::{PeerKey, SessionId};
use switchboard_telemetry::RedisOp;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{command::Answer, shared::Shared, subscriber::desired::Holding};

/// How long an attach may take before it goes on in the background.
const DEADLINE: Duration = Duration::from_secs(2);

/// What an attach has taken; dropping it unfinished gives it back.
struct Attaching<'a> {
    shared: &'a Shared,
    key: &'a PeerKey,
    session: SessionId,
    displaced: Option<SessionId>,
    is_finished: bool,
}

/// Subscribes to `key` and claims it for `session`.
pub(crate) async fn attach(
    shared: &Shared,
    key: &PeerKey,
    session: SessionId,
) -> Result<Attached, BrokerError> {
    let deadline = Instant::now() + DEADLINE;
    let wanted = shared.desired.lock().want(key, session);
    let attaching = Attaching {
        shared,
        key,
        session,
        displaced: wanted.displaced,
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
    let holding = Holding {
        key: key.clone(),
        session,
        fence: 0,
    };
    let Ok(epoch) = shared.send_claim(holding, Answer::Claim(sender)) else {
        return attaching.leave();
    };
    match timeout_at(deadline, answer).await {
        Ok(Ok(Ok(claimed))) => {
            if !shared.desired.lock().claimed(key, session, claimed.fence, epoch) {
                return Err(BrokerError::Superseded);
            }
            attaching.finish();
            Ok(Attached {
                fence: claimed.fence,
                confirmed: true,
                previous: claimed.previous,
            })
        }
        Ok(Ok(Err(error @ (BrokerError::Refused | BrokerError::Superseded)))) => Err(error),
        Ok(Ok(Err(BrokerError::Unavailable | BrokerError::QueueFull | BrokerError::Unsettled)))
        | Ok(Err(_))
        | Err(_) => attaching.leave(),
    }
}

impl Attaching<'_> {
    fn finish(mut self) {
        self.is_finished = true;
    }

    /// Leaves the rest to the background; refused when another session of this node took the peer meanwhile.
    fn leave(mut self) -> Result<Attached, BrokerError> {
        let is_ours = self.shared.desired.lock().leave(self.key, self.session);
        self.is_finished = is_ours;
        if !is_ours {
            return Err(BrokerError::Superseded);
        }
        self.shared.chores.notify_one();
        Ok(Attached {
            fence: 0,
            confirmed: false,
            previous: None,
        })
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
        self.shared.release(Holding {
            key: self.key.clone(),
            session: self.session,
            fence: 0,
        });
        if let Some(displaced) = self.displaced {
            self.shared.tell_lost(self.key.clone(), displaced, 0);
        }
    }
}
