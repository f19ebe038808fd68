//! PUBLISH on a channel, and its reply.

use redis::{Cmd, Value};
use switchboard_core::BrokerError;

/// Publishes `payload` on `channel`.
pub(crate) fn write(channel: &[u8], payload: &[u8]) -> Cmd {
    let mut command = Cmd::with_capacity(3, 7 + channel.len() + payload.len());
    command.arg("PUBLISH").arg(channel).arg(payload);
    command
}

/// The number of subscribers that Redis counted.
pub(crate) fn read(reply: &Value) -> Result<u64, BrokerError> {
    redis::from_redis_value_ref(reply).map_err(|_| BrokerError::Refused)
}
