//! What a payload says about itself, so that its receiver can tell whose it is, which one, and whether it is
//! whole. Not here: what a wrong one means (`flow`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::sdp;

/// Which direction of which pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FlowId(pub(crate) u64);

/// A payload. Its `sdp` is real-looking text of the wanted size; `sum` is its checksum.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stamp<'a> {
    pub(crate) flow: FlowId,
    /// Counts up from 1 in each flow.
    pub(crate) number: u64,
    sum: u64,
    #[serde(borrow)]
    sdp: Cow<'a, str>,
}

/// A payload of about `bytes`, never less than the stamp itself.
pub(crate) fn payload(flow: FlowId, number: u64, bytes: usize) -> serde_json::Result<Box<RawValue>> {
    let sdp = sdp::of_size(bytes, number);
    serde_json::value::to_raw_value(&Stamp {
        flow,
        number,
        // 53 bits: servers written in JavaScript read numbers as doubles.
        sum: xxh3_64(sdp.as_bytes()) >> 11,
        sdp: Cow::Borrowed(sdp),
    })
}

/// Reads a payload; `None` if it was changed on the way.
pub(crate) fn read(payload: &RawValue) -> Option<(FlowId, u64)> {
    let stamp: Stamp<'_> = serde_json::from_str(payload.get()).ok()?;
    (xxh3_64(stamp.sdp.as_bytes()) >> 11 == stamp.sum).then_some((stamp.flow, stamp.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back_and_a_changed_payload_does_not() {
        let payload = payload(FlowId(7), 12, 3000).unwrap();
        assert!(
            (2900..3300).contains(&payload.get().len()),
            "{}",
            payload.get().len()
        );
        assert_eq!(read(&payload), Some((FlowId(7), 12)));
        let changed = payload.get().replacen("candidate", "candidatE", 1);
        assert_eq!(read(&RawValue::from_string(changed).unwrap()), None);
    }
}
