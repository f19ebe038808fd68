//! Ends a session for the backend: its node is asked to close the connection, and a session without a living node is
//! removed. The same for every backend; each reads records, asks nodes and removes records in its own way.

use std::time::Duration;

use futures_util::future::BoxFuture;
use switchboard_core::{BrokerError, EndedSession, RoomMembership};
use switchboard_protocol::{NodeMessage, PeerKey, SessionId};
use tokio::time::{Instant, sleep};

use crate::conflict::Owner;

/// How often the record is read until the session has ended.
const READ_EVERY: Duration = Duration::from_millis(10);

/// How often the owner's node is asked: the session may just be entering it.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// After this time it is checked whether the owner's node lives at all.
const DOUBT_AFTER: Duration = Duration::from_millis(300);

/// After this time the end of the session is not known.
const PATIENCE: Duration = Duration::from_secs(2);

/// The request to the node that owns the session.
pub(crate) fn request(key: &PeerKey, session: SessionId) -> Vec<u8> {
    let key = key.clone();
    NodeMessage::Kick { key, session }.encode()
}

/// Returns once the session has ended. `read_owner` reads the record, `ask` sends the request to the owner's node,
/// `remove` removes a record that is detached or whose node is dead, and returns the rooms that it named if it did.
///
/// # Errors
/// [`BrokerError::Unavailable`] when the session has not ended in time, and those of the functions.
pub(crate) async fn end<'a>(
    read_owner: impl Fn() -> BoxFuture<'a, Result<Option<Owner>, BrokerError>>,
    ask: impl Fn(&Owner, SessionId),
    remove: impl Fn(Owner, SessionId) -> BoxFuture<'a, Result<Option<Vec<RoomMembership>>, BrokerError>>,
) -> Result<Option<EndedSession>, BrokerError> {
    let start = Instant::now();
    let mut ending = None;
    let mut ask_at = start;
    loop {
        let Some(owner) = read_owner().await? else {
            return Ok(ending.map(|_| EndedSession::Attached));
        };
        let session = owner.session.ok_or(BrokerError::Refused)?;
        if *ending.get_or_insert(session) != session {
            return Ok(Some(EndedSession::Attached));
        }
        let now = Instant::now();
        if owner.is_attached && now >= ask_at {
            ask_at = now + ASK_EVERY;
            ask(&owner, session);
        }
        let may_be_removed = !owner.is_attached || now - start >= DOUBT_AFTER;
        if may_be_removed && let Some(rooms) = remove(owner, session).await? {
            return Ok(Some(EndedSession::Detached { session, rooms }));
        }
        if now - start >= PATIENCE {
            return Err(BrokerError::Unavailable);
        }
        sleep(READ_EVERY).await;
    }
}
