//! A page whose name resolves to loopback, against a development node.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use switchboard_harness::{Port, Process, Ready, Recipe};
use switchboard_testkit::binary;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use crate::{
    attack::{Attack, Findings},
    raw,
    scene::{ATTACKER, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "rebinding",
    title: "A page under a name that resolves to loopback asks `switchboard dev` for a token",
    before: "it got a token, and its handshake was answered 101",
    rule: "A development node answers only to names of loopback.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const ANSWER_WITHIN: Duration = Duration::from_secs(2);

async fn run(_scene: Scene) -> anyhow::Result<Findings> {
    let folder = tempfile::tempdir()?;
    let (public, ops) = (Port::reserve()?, Port::reserve()?);
    let port = public.number();
    let listen = format!("127.0.0.1:{port}");
    let ops_listen = format!("127.0.0.1:{}", ops.number());
    let arguments = [
        "dev",
        "--no-turn",
        "--listen",
        &listen,
        "--ops-listen",
        &ops_listen,
    ];
    let node = Process::new(
        "dev",
        Recipe {
            program: binary(None)?,
            arguments: arguments.map(Into::into).to_vec(),
            environment: Vec::new(),
            log: folder.path().join("dev.log"),
            ready: Ready::Readyz(ops.number()),
            ports: vec![public, ops],
        },
    );
    node.start().await?;
    let mut findings = Findings::default();
    let own = status(port, "/dev/session", &listen).await?;
    findings.check(own == 200, format!("the own page is answered {own}"));
    let foreign = format!("evil.example:{port}");
    for path in ["/dev/session", "/v1/ws", "/"] {
        let status = status(port, path, &foreign).await?;
        findings.note(format!("{path} for another name: {status}"));
        findings.check(
            matches!(status, 400..=499),
            format!("{path} for another name is answered {status}"),
        );
    }
    Ok(findings)
}

/// The status of a GET for the host of that name.
async fn status(port: u16, path: &str, host: &str) -> anyhow::Result<u16> {
    let mut stream = raw::dial(port, ATTACKER, None).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    timeout(ANSWER_WITHIN, raw::read_status(&mut stream))
        .await
        .with_context(|| format!("{path} is not answered"))?
}
