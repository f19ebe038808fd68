//! PUBLISH on a channel, and its reply.

use redis::{Cmd, Value};
use switchboard_core::BrokerError;

use crate::keys::PubSubVerbs;

/// Publishes `payload` on `channel`.
pub(crate) fn write(verbs: PubSubVerbs, channel: &[u8], payload: &[u8]) -> Cmd {
    let publish = verbs.publish;
    let mut command = Cmd::with_capacity(3, publish.len() + channel.len() + payload.len());
    command.arg(publish).arg(channel).arg(payload);
    command
}

/// The number of subscribers that Redis counted.
pub(crate) fn read(reply: &Value) -> Result<u64, BrokerError> {
    redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)
}
