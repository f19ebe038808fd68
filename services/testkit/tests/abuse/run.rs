//! One run: a fresh cluster, its bystanders for a while alone, the attack, and the figures afterwards.

use std::{sync::Arc, time::Duration};

use switchboard_harness::Authority;
use switchboard_testkit::{Cluster, SECRET, binary};
use tokio::{process::Command, time::sleep};

use crate::{
    attack::{Attack, Findings},
    attacker,
    bystanders::Bystanders,
    memory::{Memory, Watch},
    scene::Scene,
    verdict::Outcome,
};

/// How long the bystanders are alone, which gives the figures to compare with.
const ALONE: Duration = Duration::from_secs(4);

/// Where a configuration has the keys of a certificate.
const CERTIFICATE: &str = "{certificate}";

/// How long the bystanders go on after it.
const AFTER: Duration = Duration::from_secs(1);

/// Makes the attack, and returns what it did.
pub(crate) async fn outcome_of(attack: &'static Attack) -> anyhow::Result<Outcome> {
    println!("{}: {}", attack.name, attack.title);
    let authority = Authority::new("abuse")?;
    let wanted = config_of(attack, &authority)?;
    let refused = refusal_of(&wanted).await?;
    let config = if refused.is_none() { &wanted } else { "" };
    let cluster = Arc::new(Cluster::start_with(2, config).await?);
    let bystanders = Bystanders::start(&cluster, config.contains("[server.tls]")).await?;
    // These times are the subject, not waits for a condition.
    sleep(ALONE).await;
    let before = Memory::now(&cluster).await?;
    let watch = Watch::start(&cluster);
    bystanders.tally.attacked();
    let scene = Scene::new(Arc::clone(&cluster), refused);
    let findings = attacker::run(attack, scene).await;
    sleep(AFTER).await;
    let tally = Arc::clone(&bystanders.tally);
    bystanders.stop().await?;
    let mut findings = findings.unwrap_or_else(|error| {
        let mut findings = Findings::default();
        findings.check(false, format!("the attack failed: {error:#}"));
        findings
    });
    for node in &cluster.nodes {
        let is_sound = node.pid().is_some() && !node.log().contains("panicked");
        findings.check(is_sound, format!("{} ended or panicked", node.name()));
    }
    Ok(Outcome {
        attack,
        noticed: tally.noticed(),
        memory: [before, watch.most()],
        findings,
    })
}

/// The attack's configuration, with a certificate where it wants one.
fn config_of(attack: &Attack, authority: &Authority) -> anyhow::Result<String> {
    if !attack.config.contains(CERTIFICATE) {
        return Ok(attack.config.to_owned());
    }
    let issued = authority.issue("node", &["localhost"])?;
    let keys = format!(
        "cert_file = {:?}\nkey_file = {:?}\n",
        issued.certificate, issued.key
    );
    Ok(attack.config.replace(CERTIFICATE, &keys))
}

/// What `config check` says against this configuration, if it refuses it.
async fn refusal_of(config: &str) -> anyhow::Result<Option<String>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.toml");
    std::fs::write(&file, format!("[auth]\nhs256_secret = \"{SECRET}\"\n{config}"))?;
    let check = Command::new(binary(None)?)
        .args(["config", "check", "--config"])
        .arg(&file)
        .output()
        .await?;
    let words = String::from_utf8_lossy(&check.stderr).trim().to_owned();
    Ok((!check.status.success()).then_some(words))
}
