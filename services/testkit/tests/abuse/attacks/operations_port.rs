//! The operations port: a page of another origin wants a drain, and silent connections hold its places.

use std::time::Duration;

use futures_util::{FutureExt as _, future::join_all};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep, timeout},
};

use crate::{
    attack::{Attack, Findings},
    raw,
    scene::{ATTACKER, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "operations-port",
    title: "A page of another origin posts `/drain` to the operations port, and 1,500 silent connections hold it",
    before: "the drain was accepted with 202; `/livez` failed",
    rule: "The operations port refuses foreign origins and hosts, wants a token for a POST, and bounds its connections; \
           `/livez` answers.",
    is_quick: true,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

const SILENT: usize = 1_500;

/// Connects at a time.
const AT_A_TIME: usize = 100;

/// A connect that the node does not accept by then is given up.
const DIAL_WITHIN: Duration = Duration::from_millis(200);

/// How long `/livez` may take.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

const ASK_EVERY: Duration = Duration::from_millis(500);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let node = &scene.cluster.nodes[0];
    let port = node.ops_port();
    let mut findings = Findings::default();
    let status = foreign_drain(port).await;
    findings.note(format!("POST /drain of another origin: {status:?}"));
    findings.check(
        !matches!(status, Some(200..=299)),
        "a foreign page could drain the node",
    );
    let mut silent = Vec::new();
    for _ in 0..SILENT / AT_A_TIME {
        let dials = (0..AT_A_TIME).map(|_| timeout(DIAL_WITHIN, raw::dial(port, ATTACKER, None)));
        silent.extend(join_all(dials).await.into_iter().flatten().flatten());
    }
    findings.note(format!("{} silent connections", silent.len()));
    let (mut asked, mut failed) = (0, 0);
    while !scene.is_over() {
        let start = Instant::now();
        let alive = timeout(ALIVE_WITHIN, node.status("/livez")).await;
        asked += 1;
        failed += usize::from(alive != Ok(Some(200)));
        sleep(ASK_EVERY.saturating_sub(start.elapsed())).await;
    }
    findings.check(
        failed == 0,
        format!("{failed} of {asked} GET /livez were not answered in {ALIVE_WITHIN:?}"),
    );
    Ok(findings)
}

/// What a browser sends for a page of another origin; the status of the answer.
async fn foreign_drain(port: u16) -> Option<u16> {
    let mut stream = raw::dial(port, ATTACKER, None).await.ok()?;
    let request = format!(
        "POST /drain HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: https://evil.example\r\n\
         Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    timeout(ALIVE_WITHIN, raw::read_status(&mut stream))
        .await
        .ok()?
        .ok()
}
