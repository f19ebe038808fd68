//! Sends to more receivers than a sender's node follows at a time.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout_at},
};

use crate::{
    attack::{Attack, Findings},
    raw,
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "many-receivers",
    title: "One connection sends to 3,000 receivers that do not exist",
    before: "reading stopped after 1,024 receivers; all outcomes took 39.8 s, with silences of 25 s",
    rule: "Reading never stops without something that wakes it.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const RECEIVERS: usize = 3_000;

/// What each outcome contains once.
const OUTCOME: &[u8] = b"\"code\":";

/// The longest silence between outcomes; a lookup takes milliseconds.
const MAX_SILENCE: Duration = Duration::from_secs(2);

const ALL_WITHIN: Duration = Duration::from_secs(15);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let sends = (1..=RECEIVERS).map(|id| {
        raw::text(&format!(
            r#"{{"type":"message","id":{id},"to":"nobody-{id}","payload":1}}"#
        ))
    });
    let sends: Vec<u8> = sends.flatten().collect();
    let mut raw = scene.raw(0, "attacker").await?;
    anyhow::ensure!(raw.read_until("welcome").await, "no welcome");
    let start = Instant::now();
    let deadline = start + ALL_WITHIN;
    let (mut reader, mut writer) = raw.stream.split();
    let (mut outcomes, mut silence, mut last) = (0, Duration::ZERO, start);
    let read = async {
        let mut received = Vec::new();
        while outcomes < RECEIVERS && matches!(reader.read_buf(&mut received).await, Ok(1..)) {
            silence = silence.max(last.elapsed());
            last = Instant::now();
            outcomes += received
                .windows(OUTCOME.len())
                .filter(|window| *window == OUTCOME)
                .count();
            // One that comes in two parts is found with its second part; a whole one is not found twice.
            let keep = received.len().saturating_sub(OUTCOME.len() - 1);
            received.drain(..keep);
        }
    };
    let write = async { writer.write_all(&sends).await };
    let both = async { tokio::join!(read, write) };
    let _ = timeout_at(deadline, both).await;
    if outcomes < RECEIVERS {
        silence = silence.max(last.elapsed());
    }
    let mut findings = Findings::of(format!(
        "{outcomes} outcomes in {:?}, the longest silence {silence:?}",
        start.elapsed()
    ));
    findings.check(
        outcomes == RECEIVERS,
        format!("{outcomes} of {RECEIVERS} outcomes in {ALL_WITHIN:?}"),
    );
    findings.check(silence <= MAX_SILENCE, format!("a silence of {silence:?}"));
    scene.over().await;
    Ok(findings)
}
