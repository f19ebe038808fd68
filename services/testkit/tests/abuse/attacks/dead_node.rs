//! A node dies with its clients, and they are never gone.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::{Event, MessageKind, ServerFrame};
use switchboard_testkit::{payload, token, wait_until};
use tokio::time::Instant;

use crate::{
    attack::{Attack, Findings},
    scene::Scene,
};

pub(crate) const ATTACK: Attack = Attack {
    name: "dead-node",
    title: "A third node dies with 300 peers, and others send to them",
    before: "300 records had no end, and sends to their peers were `queued`",
    rule: "The records of a dead node end within the resume window after its lease; then sends get `peer-offline`.",
    is_quick: false,
    config: "[session]\nresume_window_s = 1\n",
    run: |scene| run(scene).boxed_local(),
};

const PEERS: usize = 300;

const AT_A_TIME: usize = 16;

/// A lease of 10 s, the window, and the time to find the records.
const GONE_WITHIN: Duration = Duration::from_secs(16);

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let node = scene.cluster.start_another("n3").await?;
    let connects = (0..PEERS).map(|number| {
        let url = node.url();
        async move {
            let options = ConnectOptions::new(url, token(&format!("ghost-{number}")).ok()?);
            Client::connect(&options).await.ok()
        }
    });
    let connects = futures_util::stream::iter(connects).buffer_unordered(AT_A_TIME);
    let clients: Vec<_> = connects.filter_map(std::future::ready).collect().await;
    node.kill().await?;
    let mut findings = Findings::of(format!("{} peers died with their node", clients.len()));
    let start = Instant::now();
    let redis = &scene.cluster.redis;
    let are_gone = async || {
        let keys: Vec<String> = redis.command(&["KEYS", "*ghost-*"]).await.ok()?;
        keys.is_empty().then_some(())
    };
    let gone = wait_until("all records are gone", GONE_WITHIN, are_gone).await;
    findings.note(format!(
        "waited {} s for the records to end",
        start.elapsed().as_secs()
    ));
    findings.check(
        gone.is_ok(),
        format!("records of dead peers remain after {GONE_WITHIN:?}"),
    );
    let mut sender = scene.connect(0, "attacker").await?;
    for number in [0, PEERS / 2, PEERS - 1] {
        let answer = answer_for(&mut sender, &format!("ghost-{number}")).await;
        findings.check(
            answer == "peer-offline",
            format!("a send to ghost-{number} got {answer}"),
        );
    }
    Ok(findings)
}

/// The first answer to a send to that peer.
async fn answer_for(sender: &mut Client, peer: &str) -> String {
    let id = sender.next_id();
    let Ok(payload) = payload("1") else {
        return String::new();
    };
    let sent = sender.send(MessageKind::Message, peer, Some(id), &payload).await;
    let answer = sender.expect(ANSWER_WITHIN, |frame| match frame {
        ServerFrame::Event(Event::Error { id: of, code, .. }) if *of == Some(id) => Some(code.to_string()),
        ServerFrame::Event(Event::Receipt { id: of, status }) if *of == id => Some(format!("{status:?}")),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    });
    match sent {
        Ok(()) => answer.await.unwrap_or_else(|error| error.to_string()),
        Err(error) => error.to_string(),
    }
}
