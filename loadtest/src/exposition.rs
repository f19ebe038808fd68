//! The progress of a load as Prometheus text, over HTTP. Written by hand: a few families, and one reader at a time.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::live::Progress;

/// A reader gets so long for its request and the answer; the next one waits.
const READER_TIME: Duration = Duration::from_secs(2);

/// Bytes of a request at most.
const MAX_REQUEST_BYTES: usize = 8192;

/// After a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves the newest progress until dropped.
#[derive(Debug)]
pub(crate) struct Exposition {
    text: Arc<Mutex<String>>,
    _task: AbortOnDropHandle<()>,
}

impl Exposition {
    /// Listens on `host:port`.
    ///
    /// # Errors
    /// When the address is none, or taken.
    pub(crate) async fn listen(address: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.with_context(|| format!("--metrics-listen {address} cannot be listened on"))?;
        eprintln!("metrics: http://{}/metrics", listener.local_addr()?);
        let text = Arc::new(Mutex::new(text(&Progress::default())));
        let shared = Arc::clone(&text);
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    // A reader that is too slow or breaks off has itself to blame.
                    Ok((stream, _)) => drop(timeout(READER_TIME, answer(stream, &shared)).await),
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        });
        Ok(Self {
            text,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Serves this from now on.
    pub(crate) fn show(&self, progress: &Progress) {
        *self.text.lock() = text(progress);
    }
}

async fn answer(mut stream: TcpStream, text: &Mutex<String>) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < MAX_REQUEST_BYTES {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        ("200 OK", text.lock().clone())
    } else {
        ("404 Not Found", "GET /metrics\n".to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

/// All families, in the text format 0.0.4.
fn text(progress: &Progress) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, f64)>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    };
    let label = |name: &str, value: &str| format!("{name}=\"{}\"", escaped(value));
    let run = format!(
        "{},run=\"{}\"",
        label("scenario", &progress.name),
        progress.repeat
    );
    let samples = vec![(run, progress.elapsed.as_secs_f64())];
    family(
        "loadtest_elapsed_seconds",
        "gauge",
        "Time since the start of the load.",
        samples,
    );
    let samples = progress.counts.iter();
    let samples = samples.map(|(counter, count)| (label("event", counter.name()), *count as f64));
    family(
        "loadtest_events_total",
        "counter",
        "Events of this run, by counter.",
        samples.collect(),
    );
    let samples = progress.times.iter().flat_map(|(metric, times)| {
        let time = label("time", metric.name());
        [("0.5", times.p50_us), ("0.99", times.p99_us), ("1", times.max_us)]
            .map(|(quantile, us)| (format!("{time},quantile=\"{quantile}\""), us / 1e6))
    });
    family(
        "loadtest_time_seconds",
        "gauge",
        "Corrected times of this run so far.",
        samples.collect(),
    );
    let samples = progress
        .series
        .last()
        .into_iter()
        .flat_map(|second| &second.connected);
    let samples = samples.map(|(node, count)| (label("node", node), *count as f64));
    family(
        "loadtest_connections",
        "gauge",
        "Open connections, by node.",
        samples.collect(),
    );
    let samples = progress.errors.iter();
    let samples = samples.map(|(error, count)| (label("error", error), count as f64));
    family(
        "loadtest_errors_total",
        "counter",
        "Errors of this run, by text.",
        samples.collect(),
    );
    let samples = progress.thresholds.iter();
    let samples = samples.map(|one| (label("threshold", &one.text), f64::from(u8::from(one.is_met))));
    family(
        "loadtest_threshold_met",
        "gauge",
        "Whether the run so far meets it.",
        samples.collect(),
    );
    text
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Counter, results::ThresholdResult};

    #[test]
    fn the_text_has_counters_and_thresholds_with_escaped_labels() {
        let mut progress = Progress {
            counts: [(Counter::Lost, 2)].into(),
            ..Progress::default()
        };
        progress.errors.add("odd \" one", 7);
        progress.thresholds.push(ThresholdResult {
            text: "lost == 0".into(),
            measured: "2".into(),
            is_met: false,
        });
        let text = text(&progress);
        for line in [
            "# TYPE loadtest_events_total counter",
            "loadtest_events_total{event=\"lost\"} 2",
            "loadtest_errors_total{error=\"odd \\\" one\"} 7",
            "loadtest_threshold_met{threshold=\"lost == 0\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
