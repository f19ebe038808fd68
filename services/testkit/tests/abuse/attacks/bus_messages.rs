//! Another client of Redis publishes on a peer's channel.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use switchboard_harness::resp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    attack::{Attack, Findings},
    scene::{GREETERS, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "hostile-bus",
    title: "Another client of Redis publishes ten messages of 1.1 MB and 40,000 malformed ones on a peer's channel",
    before: "each large one cost both connections of the bus; 34,384 lines were logged",
    rule: "A hostile message on the bus is dropped and counted, and costs no connection; the log names it once a minute.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const LARGE: usize = 10;

const LARGE_BYTES: usize = 1_100_000;

const MALFORMED: usize = 40_000;

/// Lines that both nodes may log.
const MAX_LINES: usize = 100;

/// How long Redis may take for the commands of one write.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Commands of one write.
const BATCH: usize = 1_000;

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let redis = &scene.cluster.redis;
    let pattern = format!("*/{}", GREETERS[0]);
    let channels: Vec<String> = redis.command(&["PUBSUB", "CHANNELS", &pattern]).await?;
    let channel = channels.first().context("the greeter has no channel")?;
    let lines = lines(&scene);
    let mut stream = TcpStream::connect(redis.address()).await?;
    let large = "x".repeat(LARGE_BYTES);
    for _ in 0..LARGE {
        publish(&mut stream, channel, &large, 1).await?;
    }
    for _ in 0..MALFORMED / BATCH {
        publish(&mut stream, channel, "no envelope", BATCH).await?;
    }
    scene.over().await;
    let logged = self::lines(&scene) - lines;
    let mut findings = Findings::of(format!("{logged} lines were logged"));
    findings.check(logged <= MAX_LINES, format!("{logged} lines were logged"));
    Ok(findings)
}

/// Publishes that message a number of times, and waits until Redis has answered all.
async fn publish(stream: &mut TcpStream, channel: &str, message: &str, count: usize) -> anyhow::Result<()> {
    let mut commands = Vec::new();
    for _ in 0..count {
        resp::command(&mut commands, &["PUBLISH", channel, message]);
    }
    stream.write_all(&commands).await?;
    // Each answer is `:1\r\n`, the number of subscribers.
    let mut answers = vec![0; count * b":1\r\n".len()];
    timeout(ANSWER_WITHIN, stream.read_exact(&mut answers)).await??;
    Ok(())
}

fn lines(scene: &Scene) -> usize {
    let nodes = scene.cluster.nodes.iter();
    nodes.map(|node| node.log().lines().count()).sum()
}
