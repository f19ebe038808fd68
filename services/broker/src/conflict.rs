//! Resolves a conflict before a claim: while another session owns the peer, its node is asked to detach it or to
//! probe its client, as the claim's policy says. The same for every backend; each backend reads records and asks
//! nodes in its own way.

use std::time::Duration;

use futures_util::future::BoxFuture;
use switchboard_core::{BrokerError, Claim, ConflictPolicy};
use switchboard_protocol::{NodeId, SessionId};
use tokio::time::{Instant, sleep};

/// How often the record is read while its owner is asked.
const READ_EVERY: Duration = Duration::from_millis(10);

/// The owner of a peer, as its record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: NodeId,
    pub(crate) session: Option<SessionId>,
    pub(crate) is_attached: bool,
    /// Whether it is this very run of this node.
    pub(crate) is_local: bool,
    /// Changes whenever the owner touches its record, because its client answered a probe.
    pub(crate) touches: Option<String>,
}

/// Returns once the claim may go ahead. `read_owner` reads the record, `ask` sends the question to the owner's
/// node, at most once.
///
/// # Errors
/// [`BrokerError::NotResumable`] for a resume whose session is not there – before anything is touched, because
/// another session of the peer may live; [`BrokerError::InUse`] once a probed client has answered; and
/// those of `read_owner`.
pub(crate) async fn resolve<'a>(
    claim: &Claim,
    read_owner: impl Fn() -> BoxFuture<'a, Result<Option<Owner>, BrokerError>>,
    ask: impl Fn(Owner),
) -> Result<(), BrokerError> {
    let (within, is_probe) = match claim.on_conflict {
        ConflictPolicy::TakeOver => return Ok(()),
        ConflictPolicy::DetachThenTakeOver(within) => (within, false),
        ConflictPolicy::ProbeThenReject(within) => (within, true),
    };
    let deadline = Instant::now() + within;
    let mut first_touches: Option<Option<String>> = None;
    loop {
        let owner = read_owner().await?;
        let is_same = owner
            .as_ref()
            .is_some_and(|owner| owner.session == Some(claim.token.session));
        if claim.resume && !is_same {
            return Err(BrokerError::NotResumable);
        }
        // A resume waits for its own session on another node; a probe concerns any other session.
        let Some(owner) =
            owner.filter(|owner| owner.is_attached && is_same != is_probe && (is_probe || !owner.is_local))
        else {
            return Ok(());
        };
        match &first_touches {
            None => {
                first_touches = Some(owner.touches.clone());
                ask(owner);
            }
            Some(touches) if is_probe && *touches != owner.touches => return Err(BrokerError::InUse),
            Some(_) => {}
        }
        if Instant::now() >= deadline {
            return Ok(());
        }
        sleep(READ_EVERY).await;
    }
}

#[cfg(test)]
#[path = "conflict_tests.rs"]
mod tests;
