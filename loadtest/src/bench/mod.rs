//! The fixed benchmark: which runs, how often, in which order. Runs that are compared alternate, because
//! machines are noisy and shared.

mod bars;
mod floor;
mod flow;
pub(crate) mod idle;
mod messages;
mod meter;
mod peers;
mod report;
mod spacing;
mod stage;
mod stats;

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::Context as _;
use switchboard_auth::Minter;

use crate::cli::BenchArgs;
use report::Report;
use stage::{Stage, shared_secret};

/// How much is done.
pub(crate) struct Size {
    pub(crate) repeats: usize,
    pub(crate) span: Duration,
    idle: Vec<usize>,
    connects: usize,
}

impl Size {
    fn of(args: &BenchArgs) -> Self {
        let (repeats, seconds, idle, connects) = match (args.smoke, args.quick) {
            (true, _) => (1, 1, vec![200], 200),
            (false, true) => (3, 3, vec![5_000], 2_000),
            (false, false) => (5, 5, vec![5_000, 10_000, 15_000], 5_000),
        };
        let idle = args.connections.map_or(idle, |count| vec![count]);
        Self {
            repeats,
            span: Duration::from_secs(seconds),
            idle,
            connects,
        }
    }
}

/// Runs it; `false` when a message went wrong.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<bool> {
    let binary = binary(args.binary.as_ref())?;
    let size = Size::of(&args);
    let stage = Stage::set(&binary)?;
    let (auth, minter) = shared_secret()?;
    let mut report = Report::default();

    println!("messages: {} repeats of {:?} each", size.repeats, size.span);
    let (n1, n2) = (
        stage.node("n1", &auth, &minter).await?,
        stage.node("n2", &auth, &minter).await?,
    );
    messages::run(&stage, &n1, &n2, &minter, &size, &mut report).await?;
    drop((n1, n2));

    println!("connects");
    connects(&stage, &auth, &minter, &size, &mut report).await?;
    println!("idle connections");
    idle_connections(&stage, &auth, &minter, &size, &mut report).await?;

    report.note(format!(
        "messages lost, doubled, reordered, changed or without a final word: {}",
        report.wrong
    ));
    report.save(&args.out)?;
    println!("\n{}\nfigures: {}", report.markdown(), args.out.display());
    Ok(report.wrong == 0)
}

fn binary(given: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    match given {
        Some(binary) => Ok(binary.clone()),
        None => Ok(std::env::current_exe()?.with_file_name("switchboard")),
    }
}

async fn connects(
    stage: &Stage,
    auth: &str,
    minter: &Minter,
    size: &Size,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut hs256, mut es256) = (Vec::new(), Vec::new());
    let ec = ec_key(stage);
    for repeat in 0..size.repeats {
        let node = stage.node("n1", auth, minter).await?;
        hs256.push(idle::connect_only(&node, size.connects, &format!("hs-{repeat}"), None).await?);
        drop(node);
        if let Ok((key_file, auth, minter)) = &ec {
            let node = stage.node("n1", auth, minter).await?;
            es256.push(
                idle::connect_only(&node, size.connects, &format!("es-{repeat}"), Some(key_file)).await?,
            );
        }
    }
    report.figure(bars::CONNECT_HS256, hs256);
    match ec {
        Ok(_) => report.figure(bars::CONNECT_ES256, es256),
        Err(error) => report.note(format!("connect with ES256 was not measured: {error:#}")),
    }
    Ok(())
}

/// A fresh P-256 key, the `[auth]` section that trusts it, and its signer.
fn ec_key(stage: &Stage) -> anyhow::Result<(PathBuf, String, Minter)> {
    let (private, keys) = (stage.folder().join("private.pem"), stage.folder().join("keys"));
    std::fs::create_dir_all(&keys)?;
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .output()
            .context("openssl makes the key")?;
        anyhow::ensure!(
            output.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        anyhow::Ok(())
    };
    let (private_text, public) = (
        private.display().to_string(),
        keys.join("bench.pem").display().to_string(),
    );
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        &private_text,
    ])?;
    openssl(&["pkey", "-in", &private_text, "-pubout", "-out", &public])?;
    let minter = Minter::from_private_pem_file(&private, Some("bench"))?;
    Ok((
        private,
        format!("public_keys_dir = \"{}\"", keys.display()),
        minter,
    ))
}

async fn idle_connections(
    stage: &Stage,
    auth: &str,
    minter: &Minter,
    size: &Size,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut largest = Vec::new();
    for count in &size.idle {
        // A fresh node each time: memory of an earlier crowd would flatter this one.
        let node = stage.node("n1", auth, minter).await?;
        let result = idle::run(&node, *count, &format!("idle-{count}"), None).await?;
        report.note(format!(
            "{} idle connections: {:.2} KiB each before traffic, {:.2} KiB after, connected at {:.0}/s with {:.0} µs CPU each",
            result.connections,
            result.kib_before_traffic,
            result.kib_after_traffic,
            result.connects_per_second,
            result.connect_micros
        ));
        largest = vec![result.kib_after_traffic];
    }
    report.figure(bars::IDLE, largest);
    Ok(())
}
