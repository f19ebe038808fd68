//! Reads the owner of a peer, and the lease of the owner's node.

use redis::{Cmd, Value};
use switchboard_core::BrokerError;
use switchboard_protocol::{NodeId, PeerKey};

use super::{super::record::Owner, caller::Caller};
use crate::partition::Partition;

/// Asks for the owner of `key`.
pub(crate) fn write(caller: &Caller, key: &PeerKey) -> Cmd {
    let peer = key.as_str();
    let mut command = Cmd::with_capacity(8, 232);
    let record = caller.names.record(Partition::of(peer), peer);
    command.arg("HMGET").arg(record);
    for field in ["node", "inc", "session", "state", "touches", "v"] {
        command.arg(field);
    }
    command
}

type Fields = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<u64>,
);

/// The owner; `None` if there is none.
pub(crate) fn read(reply: &Value) -> Result<Option<Owner>, BrokerError> {
    let (node, incarnation, session, state, touches, fence): Fields =
        redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)?;
    Ok(node.zip(incarnation).and_then(|(node, incarnation)| {
        Some(Owner {
            node: NodeId::new(&node).ok()?,
            incarnation,
            session: session.unwrap_or_default(),
            is_attached: state.as_deref() == Some("attached"),
            touches,
            fence: fence.unwrap_or_default(),
        })
    }))
}

/// Asks for the lease of `node`.
pub(crate) fn write_lease(caller: &Caller, node: &NodeId) -> Cmd {
    let mut command = Cmd::with_capacity(2, 96);
    command.arg("GET").arg(caller.names.lease(node.as_str()));
    command
}

/// The incarnation that holds the lease; `None` if it has run out.
pub(crate) fn read_lease(reply: &Value) -> Result<Option<String>, BrokerError> {
    redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn a_complete_record_has_an_owner() {
        let reply = Value::Array(["n1", "run", "s", "attached", "3", "17"].map(text).into());
        let owner = read(&reply).unwrap().unwrap();
        assert_eq!((owner.node.as_str(), owner.incarnation.as_str()), ("n1", "run"));
        assert_eq!((owner.session.as_str(), owner.is_attached), ("s", true));
        assert_eq!((owner.touches.as_deref(), owner.fence), (Some("3"), 17));
    }

    #[test]
    fn a_detached_owner_is_not_attached() {
        let fields = vec![
            text("n1"),
            text("run"),
            Value::Nil,
            text("detached"),
            Value::Nil,
            Value::Nil,
        ];
        let owner = read(&Value::Array(fields)).unwrap().unwrap();
        assert!(!owner.is_attached && owner.touches.is_none() && owner.session.is_empty());
    }

    #[test]
    fn an_absent_record_has_no_owner() {
        assert_eq!(read(&Value::Array(vec![Value::Nil; 6])), Ok(None));
        let bad_node = ["no/node", "run", "s", "attached", "3", "17"].map(text);
        assert_eq!(read(&Value::Array(bad_node.into())), Ok(None));
    }

    #[test]
    fn other_replies_are_refused() {
        assert_eq!(read(&Value::Int(1)), Err(BrokerError::Refused));
        assert_eq!(read_lease(&Value::Array(Vec::new())), Err(BrokerError::Refused));
    }

    #[test]
    fn a_lease_names_an_incarnation_until_it_runs_out() {
        assert_eq!(read_lease(&text("run")), Ok(Some("run".to_owned())));
        assert_eq!(read_lease(&Value::Nil), Ok(None));
    }
}
