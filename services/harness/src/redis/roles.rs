//! Which server is a master now, and of whom the others are replicas, as they say themselves (ROLE).

use std::time::Duration;

use tokio::time::timeout;

use super::RedisServer;
use crate::resp::Reply;

/// How long a server may take to say its role. A frozen one never does.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A master, with so many replicas that are connected.
    Master(u64),
    /// A replica of the server at this port; whether it is connected.
    Replica(u16, bool),
}

/// The role of one server.
pub(super) async fn role(server: &RedisServer) -> Option<Role> {
    let answer = timeout(ANSWER_WITHIN, server.command::<Vec<Reply>>(&["ROLE"])).await;
    let answer = answer.ok()?.ok()?;
    match answer.as_slice() {
        [Reply::Text(master), _, Reply::Array(replicas)] if master == "master" => {
            Some(Role::Master(u64::try_from(replicas.len()).ok()?))
        }
        [
            Reply::Text(replica),
            _,
            Reply::Integer(port),
            Reply::Text(state),
            ..,
        ] if replica == "slave" => Some(Role::Replica(u16::try_from(*port).ok()?, state == "connected")),
        _ => None,
    }
}
