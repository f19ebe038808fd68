//! The floor: the same payload over raw Redis PUBLISH → SUBSCRIBE, on one pipelined connection each way. What
//! a node adds is measured against this, in the same run.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{
    flow::new_histogram,
    peers,
    spacing::{self, Spacing},
};

const CHANNEL: &str = "floor";

/// Publishes at `rate` a second for `span`; one-way times from the intended moment, in nanoseconds.
pub(crate) async fn run(
    port: u16,
    rate: f64,
    spacing: Spacing,
    span: Duration,
) -> anyhow::Result<Histogram<u64>> {
    let mut subscriber = TcpStream::connect(("127.0.0.1", port)).await?;
    subscriber.set_nodelay(true)?;
    subscriber
        .write_all(format!("SUBSCRIBE {CHANNEL}\r\n").as_bytes())
        .await?;
    let mut subscriber = BufReader::new(subscriber);
    for _ in 0..6 {
        // The confirmation: *3, $9, subscribe, $5, floor, :1.
        subscriber.read_line(&mut String::new()).await?;
    }
    let publisher = TcpStream::connect(("127.0.0.1", port)).await?;
    publisher.set_nodelay(true)?;
    let (mut answers, mut commands) = publisher.into_split();
    // Owner: the connection to Redis, whose end ends the copy.
    tokio::spawn(async move { tokio::io::copy(&mut answers, &mut tokio::io::sink()).await });

    let clock = Instant::now();
    let count = (rate * span.as_secs_f64()) as u64;
    let moments = spacing::start(clock, rate, spacing, count, 1).pop();
    let mut moments = moments.context("one sender has one receiver of moments")?;
    let publishing = tokio::spawn(async move {
        while let Some(at) = moments.recv().await {
            let payload = peers::stamped(u64::try_from(at.as_nanos())?)?;
            let payload = payload.get();
            let command = format!(
                "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{CHANNEL}\r\n${}\r\n{payload}\r\n",
                CHANNEL.len(),
                payload.len()
            );
            commands.write_all(command.as_bytes()).await?;
        }
        anyhow::Ok(commands)
    });
    let mut histogram = new_histogram()?;
    let mut payload = vec![0; peers::PAYLOAD_BYTES + 2];
    for _ in 0..count {
        for _ in 0..6 {
            // *3, $7, message, $5, floor, $1200.
            subscriber.read_line(&mut String::new()).await?;
        }
        subscriber.read_exact(&mut payload).await?;
        let text = std::str::from_utf8(payload.get(..peers::PAYLOAD_BYTES).unwrap_or_default())?;
        let stamp = peers::stamp_of(text).context("raw Redis changed a payload")?;
        histogram.saturating_record(u64::try_from(clock.elapsed().as_nanos())?.saturating_sub(stamp));
    }
    publishing.await??;
    Ok(histogram)
}
