//! Before a claim: whoever holds the peer is asked to let go, or to show that its client lives, as the claim
//! wants it. The same for every backend; how the record is read and a node reached is the backend's.

use std::time::Duration;

use futures_util::future::BoxFuture;
use switchboard_core::{BrokerError, Claim, ConflictPolicy};
use switchboard_protocol::{NodeId, SessionId};
use tokio::time::{Instant, sleep};

/// How often the record is looked at while its holder is asked.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// Who holds a peer, as its record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) node: NodeId,
    pub(crate) session: Option<SessionId>,
    pub(crate) is_attached: bool,
    /// Whether it is this very run of this node.
    pub(crate) is_here: bool,
    /// Changes whenever the holder says that its client was heard.
    pub(crate) alive: Option<String>,
}

/// Returns when nobody needs to be asked any more. `look` reads the record, `question` puts it to the holder,
/// once.
///
/// # Errors
/// [`BrokerError::NotResumable`] for a resume whose session is not there – before anything is touched, because
/// another session of the peer may live; [`BrokerError::InUse`] once the holder of a wary claim was heard; and
/// those of `look`.
pub(crate) async fn ask<'a>(
    claim: &Claim,
    look: impl Fn() -> BoxFuture<'a, Result<Option<Holder>, BrokerError>>,
    question: impl Fn(Holder),
) -> Result<(), BrokerError> {
    let (within, is_refused) = match claim.on_conflict {
        ConflictPolicy::TakeOver => return Ok(()),
        ConflictPolicy::DetachThenTakeOver(within) => (within, false),
        ConflictPolicy::ProbeThenReject(within) => (within, true),
    };
    let deadline = Instant::now() + within;
    let mut before: Option<Option<String>> = None;
    loop {
        let holder = look().await?;
        let is_same = holder
            .as_ref()
            .is_some_and(|holder| holder.session == Some(claim.token.session));
        if claim.resume && !is_same {
            return Err(BrokerError::NotResumable);
        }
        // A resume waits for its own session on another node; a wary claim for any other session.
        let Some(holder) = holder
            .filter(|holder| holder.is_attached && is_same != is_refused && (is_refused || !holder.is_here))
        else {
            return Ok(());
        };
        match &before {
            None => {
                before = Some(holder.alive.clone());
                question(holder);
            }
            Some(alive) if is_refused && *alive != holder.alive => return Err(BrokerError::InUse),
            Some(_) => {}
        }
        if Instant::now() >= deadline {
            return Ok(());
        }
        sleep(ASK_EVERY).await;
    }
}
