//! Payloads of the benchmark's messages.

use serde_json::value::RawValue;

/// Bytes of a payload: a small SDP.
pub(crate) const PAYLOAD_BYTES: usize = 1200;

/// A payload that carries when it was meant to be sent, in nanoseconds of the run's clock, and is as long as a
/// small SDP.
pub(crate) fn stamped(at_ns: u64) -> anyhow::Result<Box<RawValue>> {
    let head = format!("{{\"at\":\"{at_ns:020}\",\"sdp\":\"");
    let fill = "a=candidate ".repeat(PAYLOAD_BYTES / 12 + 1);
    let room = PAYLOAD_BYTES - head.len() - 2;
    Ok(RawValue::from_string(format!(
        "{head}{}\"}}",
        fill.get(..room).unwrap_or_default()
    ))?)
}

/// Reads the stamp of a payload; `None` if it is not as [`stamped`] wrote it.
pub(crate) fn stamp_of(payload: &str) -> Option<u64> {
    let digits = payload.strip_prefix("{\"at\":\"")?.get(..20)?;
    (payload.len() == PAYLOAD_BYTES && payload.ends_with("\"}")).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back_and_a_changed_payload_does_not() {
        let payload = stamped(123_456).unwrap();
        assert_eq!(payload.get().len(), PAYLOAD_BYTES);
        assert_eq!(stamp_of(payload.get()), Some(123_456));
        assert_eq!(stamp_of(&payload.get()[..PAYLOAD_BYTES - 1]), None);
        assert_eq!(stamp_of("{}"), None);
    }
}
