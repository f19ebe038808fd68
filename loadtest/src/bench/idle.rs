//! Idle connections: what one costs in memory, after traffic, and what a connect costs in CPU. The
//! connections are held by worker processes, because a process holds at most 20,000 files.

use std::{
    net::Ipv4Addr,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;
use switchboard_auth::Minter;
use switchboard_client::{Client, ConnectOptions, Outcome};
use switchboard_protocol::{MessageKind, Secret};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{meter, peers, stage::Node};

/// Connections of one worker process.
const PER_WORKER: usize = 7_500;

/// Handshakes that one worker has under way.
const AT_ONCE: usize = 32;

/// How long a step of the workers may take.
const STEP: Duration = Duration::from_secs(120);

/// How long memory is left to settle before it is read: the allocator gives pages back within a second.
const SETTLE: Duration = Duration::from_secs(5);

/// A worker's orders.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[arg(long)]
    url: String,
    #[arg(long)]
    count: usize,
    #[arg(long)]
    tag: String,
    /// The last byte but one of the source addresses 127.0.x.y.
    #[arg(long)]
    subnet: u8,
    /// A private key in PEM to sign tokens with, instead of the shared secret.
    #[arg(long, env = "LOADTEST_KEY_FILE")]
    key_file: Option<std::path::PathBuf>,
}

/// What idle connections cost.
pub(crate) struct IdleResult {
    pub(crate) connections: usize,
    pub(crate) kib_before_traffic: f64,
    pub(crate) kib_after_traffic: f64,
    pub(crate) connect_micros: f64,
    pub(crate) connects_per_second: f64,
}

/// Holds `count` connections on `node` and measures.
pub(crate) async fn run(
    node: &Node,
    count: usize,
    tag: &str,
    key_file: Option<&std::path::Path>,
) -> anyhow::Result<IdleResult> {
    let memory = meter::resident_kib(node.pid())?;
    let cpu = meter::CpuMeter::start(&[node.pid()])?;
    let start = Instant::now();
    let workers = count.div_ceil(PER_WORKER);
    let mut running = Vec::new();
    for number in 0..workers {
        let share = count / workers + usize::from(number < count % workers);
        running.push(Worker::start(
            node,
            share,
            &format!("{tag}-{number}"),
            u8::try_from(number + 1)?,
            key_file,
        )?);
    }
    for worker in &mut running {
        worker.says("connected").await?;
    }
    let (took, connecting) = (start.elapsed(), cpu.micros()?);
    let per_connection = |kib: f64| (kib - memory) / count as f64;
    tokio::time::sleep(SETTLE).await;
    let kib_before_traffic = per_connection(meter::resident_kib(node.pid())?);
    for worker in &mut running {
        worker.says("traffic").await?;
    }
    tokio::time::sleep(SETTLE).await;
    let kib_after_traffic = per_connection(meter::resident_kib(node.pid())?);
    Ok(IdleResult {
        connections: count,
        kib_before_traffic,
        kib_after_traffic,
        connect_micros: connecting / count as f64,
        connects_per_second: count as f64 / took.as_secs_f64(),
    })
}

/// Connects `count` times; returns the node's CPU time per connect, in microseconds.
pub(crate) async fn connect_only(
    node: &Node,
    count: usize,
    tag: &str,
    key_file: Option<&std::path::Path>,
) -> anyhow::Result<f64> {
    let cpu = meter::CpuMeter::start(&[node.pid()])?;
    let mut worker = Worker::start(node, count, tag, 1, key_file)?;
    worker.says("connected").await?;
    Ok(cpu.micros()? / count as f64)
}

/// A worker process; ends when its standard input closes.
struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(
        node: &Node,
        count: usize,
        tag: &str,
        subnet: u8,
        key_file: Option<&std::path::Path>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("bench-worker")
            .arg("--url")
            .arg(&node.url)
            .arg("--count")
            .arg(count.to_string());
        command
            .arg("--tag")
            .arg(tag)
            .arg("--subnet")
            .arg(subnet.to_string());
        if let Some(file) = key_file {
            command.env("LOADTEST_KEY_FILE", file);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("a worker without standard output")?;
        Ok(Self {
            child,
            lines: BufReader::new(stdout).lines(),
        })
    }

    /// Waits for the worker's next word; the word before it lets it go on.
    async fn says(&mut self, word: &str) -> anyhow::Result<()> {
        let line = tokio::time::timeout(STEP, self.lines.next_line())
            .await
            .context("a worker takes too long")??;
        anyhow::ensure!(
            line.as_deref() == Some(word),
            "a worker said {line:?} instead of {word}"
        );
        if let Some(stdin) = self.child.stdin.as_mut() {
            stdin.write_all(b"\n").await?;
        }
        Ok(())
    }
}

/// The worker: connects, waits for a line, lets every connection send and receive one message, waits for the end.
pub(crate) async fn worker(args: WorkerArgs) -> anyhow::Result<()> {
    anyhow::ensure!(args.url.starts_with("ws://127."), "only loopback is loaded");
    let minter = std::sync::Arc::new(match &args.key_file {
        Some(file) => Minter::from_private_pem_file(file, Some("bench"))?,
        None => Minter::hs256(&Secret::new(peers::SECRET))?,
    });
    let mut clients = Vec::with_capacity(args.count);
    while clients.len() < args.count {
        let from = clients.len();
        let batch = (from..(from + AT_ONCE).min(args.count)).map(|number| {
            // Some 200 sources: more ports than one address has, and as a balancer would see them.
            let host = u8::try_from(number % 200).unwrap_or_default() + 1;
            let source = Ipv4Addr::new(127, 0, args.subnet, host);
            let name = format!("{}-{number}", args.tag);
            let (url, minter) = (args.url.clone(), std::sync::Arc::clone(&minter));
            tokio::spawn(async move {
                let options =
                    ConnectOptions::new(url, peers::token(&minter, &name)?).bind_address(source.into());
                anyhow::Ok(Client::connect(&options).await?)
            })
        });
        for connecting in batch.collect::<Vec<_>>() {
            clients.push(connecting.await??);
        }
    }
    println!("connected");
    line_from_parent().await?;
    for (number, client) in clients.iter_mut().enumerate() {
        let payload = peers::stamped(0)?;
        let own = format!("{}-{number}", args.tag);
        let outcome = client
            .send_and_confirm(MessageKind::Offer, &own, &payload, STEP)
            .await?;
        anyhow::ensure!(
            outcome == Outcome::Delivered,
            "a message was not delivered: {outcome:?}"
        );
        client.message(STEP).await?;
    }
    println!("traffic");
    // The line that lets it go on, then the end of the input.
    line_from_parent().await?;
    line_from_parent().await
}

/// Waits for a line, or the end, of standard input. Nobody answers pings meanwhile, so it must come within two
/// heartbeats (50 s).
async fn line_from_parent() -> anyhow::Result<()> {
    let read = || std::io::stdin().read_line(&mut String::new());
    tokio::task::spawn_blocking(read)
        .await?
        .map(drop)
        .context("standard input cannot be read")
}
