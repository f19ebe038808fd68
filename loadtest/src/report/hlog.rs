//! A metric's corrected histograms in HdrHistogram's log format 1.3, one interval for each run, for other tools. The
//! page does not use them.

use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, Tag},
};

use super::curves::DecodedRun;
use crate::{record::Metric, results::Results};

/// Nanoseconds in a millisecond: the readable column of the logs is in milliseconds.
const NANOS_PER_MILLI: f64 = 1e6;

/// The log of one metric; nothing if it occurs in no run.
///
/// # Errors
/// When the library cannot write; never seen.
pub(super) fn log(
    results: &Results,
    decoded: &[DecodedRun],
    metric: Metric,
) -> anyhow::Result<Option<Vec<u8>>> {
    if !decoded.iter().any(|run| run.contains_key(&metric)) {
        return Ok(None);
    }
    let began = UNIX_EPOCH
        .checked_add(Duration::from_millis(results.started_unix_ms))
        .unwrap_or(UNIX_EPOCH);
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!(
            "{} of scenario {}, corrected, in nanoseconds; one interval and tag for each run,",
            metric.name(),
            results.name.replace(char::is_control, " ")
        ))
        .add_comment("as if the runs had followed each other without a pause.")
        .with_start_time(began)
        .with_base_time(began)
        .with_max_value_divisor(NANOS_PER_MILLI)
        .begin_log_with(&mut bytes, &mut serializer)?;
    let mut start = Duration::ZERO;
    for (index, (run, decoded)) in results.runs.iter().zip(decoded).enumerate() {
        let length = Duration::try_from_secs_f64(run.load_s).unwrap_or_default();
        if let Some(times) = decoded.get(&metric) {
            let number = (index + 1).to_string();
            writer
                .write_histogram(&times.corrected, start, length, Tag::new(&number))
                .map_err(|error| {
                    anyhow::anyhow!("the log of `{}` cannot be written: {error}", metric.name())
                })?;
        }
        start = start.saturating_add(length);
    }
    drop(writer);
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::{
        record,
        report::{curves::decode_all, example},
    };

    #[test]
    fn a_log_reads_back_with_an_interval_for_each_run() {
        let results = example::results();
        let decoded = decode_all(&results).unwrap();
        let bytes = log(&results, &decoded, Metric::CallSetup).unwrap().unwrap();
        assert!(bytes.starts_with(b"#[Histogram log format version 1.3]\n"));
        let mut tags = Vec::new();
        for entry in IntervalLogIterator::new(&bytes) {
            let LogEntry::Interval(interval) = entry.unwrap() else {
                continue;
            };
            let histogram = record::decode(interval.encoded_histogram()).unwrap();
            let number: usize = interval.tag().unwrap().as_str().parse().unwrap();
            let run = &results.runs[number - 1];
            assert_eq!(histogram.len(), run.times["call_setup"].corrected.count);
            assert_eq!(interval.duration().as_secs_f64(), run.load_s);
            tags.push(number);
        }
        assert_eq!(tags, [1, 2]);
        // A metric that never occurs has no log.
        assert!(log(&results, &decoded[..0], Metric::CallSetup).unwrap().is_none());
    }
}
