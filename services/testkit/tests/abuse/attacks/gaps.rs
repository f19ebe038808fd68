//! The accepted ranges that a receiver's record keeps are made long.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::timeout;

use crate::{
    attack::{Attack, Findings},
    raw::{self, Raw, RawOptions},
    scene::{Scene, address_of},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "long-record",
    title: "1,500 senders send 128 ids with gaps to one receiver, which then detaches",
    before: "its record had 8.9 MiB, and the script that wrote it held Redis for 34 ms",
    rule: "A record's snapshot is bounded to 64 KiB, and the ranges of the least use are given up first.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const SENDERS: usize = 1_500;

const IDS: usize = 128;

/// How long a sender may take.
const SENT_WITHIN: Duration = Duration::from_secs(1);

/// How long its node may take to write the record.
const RECORD_WITHIN: Duration = Duration::from_secs(3);

/// The most that one key may take: the snapshot and what surrounds it, in bytes.
const MAX_KEY_BYTES: u64 = 160 * 1024;

/// The longest command, in microseconds; on a busy machine Redis also waits for a core.
const MAX_COMMAND_MICROS: &str = "20000";

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let redis = &scene.cluster.redis;
    let _: String = redis
        .command(&["CONFIG", "SET", "slowlog-log-slower-than", MAX_COMMAND_MICROS])
        .await?;
    let _: String = redis.command(&["SLOWLOG", "RESET"]).await?;
    let mut sink = scene.raw(1, "sink").await?;
    let (sent, ()) = tokio::join!(
        async {
            let sent = senders(&scene).await;
            scene.over().await;
            sent
        },
        async {
            let reads = sink.read_until("nothing of this kind comes");
            tokio::select! { _ = reads => {} () = scene.over() => {} }
        }
    );
    drop(sink);
    let mut findings = Findings::of(format!("{sent} of {SENDERS} senders"));
    // The record is written when the node sees that the connection is gone.
    tokio::time::sleep(RECORD_WITHIN).await;
    let mut largest = 0;
    let keys: Vec<String> = redis.command(&["KEYS", "*sink"]).await?;
    for key in &keys {
        let bytes: u64 = redis.command(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).await?;
        largest = largest.max(bytes);
    }
    findings.note(format!("the largest of {} keys has {largest} bytes", keys.len()));
    findings.check(largest <= MAX_KEY_BYTES, format!("a key of {largest} bytes"));
    let slow: u64 = redis.command(&["SLOWLOG", "LEN"]).await?;
    findings.check(
        slow == 0,
        format!("{slow} commands held Redis for {MAX_COMMAND_MICROS} µs or more"),
    );
    Ok(findings)
}

/// Sends as each sender in turn; returns how many were done in time.
async fn senders(scene: &Scene) -> usize {
    let sends = (0..IDS).map(|number| {
        let id = 2 * number + 1;
        raw::text(&format!(
            r#"{{"type":"message","id":{id},"to":"sink","payload":1}}"#
        ))
    });
    let batch: Vec<u8> = sends.flatten().collect();
    let last = format!("\"id\":{}", 2 * IDS - 1);
    let mut done = 0;
    for number in 0..SENDERS {
        if scene.is_over() {
            break;
        }
        let options = RawOptions::new(
            scene.port(number % 2),
            address_of(number),
            &format!("gap-{number}"),
        );
        let visit = async {
            let mut raw = Raw::connect(&options).await.ok()?;
            raw.write(&batch).await.ok()?;
            raw.read_until(&last).await.then_some(())
        };
        done += usize::from(matches!(timeout(SENT_WITHIN, visit).await, Ok(Some(()))));
    }
    done
}
