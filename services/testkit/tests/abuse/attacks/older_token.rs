//! A token that was taken away is used to renew.

use futures_util::FutureExt as _;
use switchboard_client::{Client, ConnectOptions};
use switchboard_protocol::{Event, MessageKind};
use switchboard_testkit::{PATIENCE, claims, payload, sign};

use crate::{
    attack::{Attack, Findings},
    scene::{ATTACKER, GREETERS, Scene},
};

pub(crate) const ATTACK: Attack = Attack {
    name: "older-token",
    title: "A peer renews with an older token, which allows more than its newest one",
    before: "the older token was accepted",
    rule: "The `iat` of a renewal must not go back.",
    is_quick: false,
    config: "",
    run: |scene| run(scene).boxed_local(),
};

async fn run(scene: Scene) -> anyhow::Result<Findings> {
    let mut older = claims("attacker");
    let mut newer = claims("attacker");
    let now_s = older.exp.saturating_sub(600);
    older.iat = Some(now_s.saturating_sub(100));
    newer.iat = Some(now_s);
    newer.switchboard.send = Some(vec!["nobody".into()]);
    let options = ConnectOptions::new(scene.cluster.nodes[0].url(), sign(&newer)?).bind_address(ATTACKER);
    let mut client = Client::connect(&options).await?;
    let answer = client.renew(&sign(&older)?, PATIENCE).await?;
    let mut findings = Findings::default();
    if let Event::Error { code, message, .. } = &answer {
        findings.note(format!("renew is answered {code}: {message}"));
    } else {
        findings.check(false, "the older token was accepted");
    }
    let report = client
        .send_and_confirm(MessageKind::Message, GREETERS[0], &payload("1")?, PATIENCE)
        .await?;
    findings.check(!report.is_delivered(), "the older token's grant is in force");
    Ok(findings)
}
