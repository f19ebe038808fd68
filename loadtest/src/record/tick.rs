//! What a worker saw in one interval, as it goes over the wire: about a second's worth, a few kilobytes.

use std::{collections::BTreeMap, io::Cursor};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer as _, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};

use super::{Counts, ErrorTally, HistogramPair, Metric};

/// A [`HistogramPair`] as text: HdrHistogram's V2 encoding, deflated, in base64.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EncodedPair {
    /// From the intended moments.
    pub corrected: String,
    /// From the actual ones.
    pub uncorrected: String,
}

impl EncodedPair {
    /// Encodes it.
    ///
    /// # Errors
    /// When the library cannot; never seen.
    pub fn of(pair: &HistogramPair) -> anyhow::Result<Self> {
        Ok(Self {
            corrected: encode(&pair.corrected)?,
            uncorrected: encode(&pair.uncorrected)?,
        })
    }

    /// Decodes it.
    ///
    /// # Errors
    /// When it is not what [`EncodedPair::of`] made.
    pub fn pair(&self) -> anyhow::Result<HistogramPair> {
        Ok(HistogramPair {
            corrected: decode(&self.corrected)?,
            uncorrected: decode(&self.uncorrected)?,
        })
    }
}

/// What the worker process itself used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerUsage {
    /// CPU time in this interval, in microseconds.
    pub cpu_micros: f64,
    /// Resident memory now, in KiB.
    pub resident_kib: f64,
    /// Open files now.
    pub open_files: u64,
}

/// A look at the worker, ten a second: how fast a fault is noticed and healed is read off these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When, in milliseconds since the start of the load.
    pub at_ms: i64,
    /// Connections then.
    pub connections: u64,
    /// Connections lost and sends told to have failed since the sample before.
    pub failures: u64,
}

/// What a worker saw since its last tick.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tick {
    /// The interval's end, in milliseconds since the start of the load; below 0 during the ramp.
    pub at_ms: i64,
    /// The interval's length, in milliseconds.
    pub span_ms: u64,
    /// How often each thing happened.
    pub counts: Counts,
    /// What took how long.
    pub times: BTreeMap<Metric, EncodedPair>,
    /// What went wrong.
    pub errors: ErrorTally,
    /// Connections now, by node (as the server names it; `?` where it does not).
    pub connected: BTreeMap<String, u64>,
    /// Calls under way now.
    pub calls_under_way: u64,
    /// The looks at it in this interval.
    pub samples: Vec<Sample>,
    /// What the worker used.
    pub own: WorkerUsage,
}

/// A histogram as text.
///
/// # Errors
/// When the library cannot; never seen.
pub fn encode(histogram: &Histogram<u64>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .map_err(|error| anyhow::anyhow!("a histogram cannot be written: {error:?}"))?;
    Ok(STANDARD.encode(bytes))
}

/// A histogram from its text.
///
/// # Errors
/// When it is none.
pub fn decode(text: &str) -> anyhow::Result<Histogram<u64>> {
    let bytes = STANDARD.decode(text).context("a histogram is not base64")?;
    Deserializer::new()
        .deserialize(&mut Cursor::new(bytes))
        .map_err(|error| anyhow::anyhow!("this is no histogram: {error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_reads_back_from_its_text() {
        let mut pair = HistogramPair::default();
        for value in [1_000, 2_000_000, 3_000_000_000] {
            pair.corrected.record(value).unwrap();
        }
        let text = EncodedPair::of(&pair).unwrap();
        assert_eq!(text.pair().unwrap().corrected, pair.corrected);
        assert!(decode("AAAA").is_err());
    }
}
