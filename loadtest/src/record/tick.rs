//! The records of a worker in one interval, as it sends them: about one second, a few kilobytes.

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
    /// From the planned starts.
    pub corrected: String,
    /// From the actual starts.
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
    /// When it was not made by [`EncodedPair::of`].
    pub fn pair(&self) -> anyhow::Result<HistogramPair> {
        Ok(HistogramPair {
            corrected: decode(&self.corrected)?,
            uncorrected: decode(&self.uncorrected)?,
        })
    }
}

/// Resources of the worker process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerUsage {
    /// CPU time in this interval, in microseconds.
    pub cpu_micros: f64,
    /// Resident memory now, in KiB.
    pub resident_kib: f64,
    /// Open files now.
    pub open_files: u64,
}

/// A sample of the worker, ten per second: the detection of faults and the recovery from them use these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Its time, in milliseconds since the start of the load.
    pub at_ms: i64,
    /// Open connections.
    pub connections: u64,
    /// Lost connections and send errors since the previous sample.
    pub failures: u64,
}

/// The records of a worker since its last tick.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tick {
    /// The interval's end, in milliseconds since the start of the load; below 0 during the ramp.
    pub at_ms: i64,
    /// The interval's length, in milliseconds.
    pub span_ms: u64,
    /// The counters.
    pub counts: Counts,
    /// The times.
    pub times: BTreeMap<Metric, EncodedPair>,
    /// The errors.
    pub errors: ErrorTally,
    /// Open connections, by node (as the server names it, else `?`).
    pub connected: BTreeMap<String, u64>,
    /// Calls under way.
    pub calls_under_way: u64,
    /// The samples of this interval.
    pub samples: Vec<Sample>,
    /// Resources of the worker.
    pub usage: WorkerUsage,
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
/// When the text is not a histogram.
pub fn decode(text: &str) -> anyhow::Result<Histogram<u64>> {
    let bytes = STANDARD.decode(text).context("a histogram is not base64")?;
    Deserializer::new()
        .deserialize(&mut Cursor::new(bytes))
        .map_err(|error| anyhow::anyhow!("this is not a histogram: {error:?}"))
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
