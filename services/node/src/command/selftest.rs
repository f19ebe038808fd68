//! `switchboard selftest`: an offer and its answer between two peers, each on a node of its own, both confirmed. For
//! `helm test` and after a deployment. Not a measurement: that is the load generator's.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::value::RawValue;
use switchboard_client::{Client, ConnectOptions, Trust};
use switchboard_protocol::{MessageKind, PeerId, Secret, SendOutcome};
use tokio::time::{sleep, timeout};

use super::{peer::token_from_file, runtime, token::mint};
use crate::cli::{Mint, Selftest};

/// The time between two attempts; each looks up the nodes again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long one attempt may take. Two connects and two messages take milliseconds on a healthy cluster.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How much longer than the test the tokens minted here are valid, in seconds.
const TOKEN_MARGIN_S: u64 = 60;

pub(super) fn run(selftest: &Selftest) -> anyhow::Result<()> {
    let tokens = tokens(selftest)?;
    let trust = trust(selftest)?;
    let until = Instant::now() + Duration::from_secs(selftest.within_s);
    runtime::run(async {
        loop {
            let attempt = timeout(ATTEMPT, attempt(selftest, &tokens, &trust)).await;
            let error = match attempt {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => anyhow::anyhow!("no answer within {} s", ATTEMPT.as_secs()),
            };
            if Instant::now() + RETRY_AFTER >= until {
                return Err(error.context(format!("no call within {} s", selftest.within_s)));
            }
            eprintln!("not yet: {error:#}");
            sleep(RETRY_AFTER).await;
        }
    })
}

/// The tokens of caller and callee: given, or minted for peer IDs with a random suffix.
fn tokens(selftest: &Selftest) -> anyhow::Result<[Secret; 2]> {
    if let (Some(caller), Some(callee)) = (&selftest.caller_token_file, &selftest.callee_token_file) {
        return Ok([token_from_file(caller)?, token_from_file(callee)?]);
    }
    let Some(secret_file) = selftest.secret_file.as_deref() else {
        bail!("tokens are needed: --secret-file, or --caller-token-file and --callee-token-file");
    };
    let run: u32 = rand::random();
    let [caller, callee] = ["caller", "callee"].map(|role| minted(selftest, secret_file, role, run));
    Ok([caller?, callee?])
}

fn minted(selftest: &Selftest, secret_file: &Path, role: &str, run: u32) -> anyhow::Result<Secret> {
    mint(&Mint {
        peer: format!("selftest-{role}-{run:08x}"),
        config: None,
        secret_file: Some(secret_file.to_owned()),
        key_file: None,
        kid: None,
        ttl_s: selftest.within_s.saturating_add(TOKEN_MARGIN_S),
        tenant: None,
        audience: selftest.audience.clone(),
        issuer: selftest.issuer.clone(),
        may_send_to: Vec::new(),
        backend: false,
    })
}

/// Whom the peers trust where nodes have TLS.
fn trust(selftest: &Selftest) -> anyhow::Result<Option<Trust>> {
    let own = selftest.ca_file.as_deref().map(Trust::with_ca_file).transpose();
    let own = own.context("--ca-file")?;
    Ok(own.or_else(|| selftest.tls.then(Trust::default)))
}

async fn attempt(
    selftest: &Selftest,
    [caller, callee]: &[Secret; 2],
    trust: &Option<Trust>,
) -> anyhow::Result<()> {
    // Sorted, so that the first and the last are two nodes if there are two.
    let mut nodes = BTreeMap::new();
    for name in &selftest.nodes {
        let addresses = tokio::net::lookup_host(name)
            .await
            .with_context(|| format!("{name} has no address"))?;
        nodes.extend(addresses.map(|address| (address, name)));
    }
    let (Some(first), Some(last)) = (nodes.first_key_value(), nodes.last_key_value()) else {
        bail!("{} has no address", selftest.nodes.join(","));
    };
    let mut caller = connect(first, caller, trust).await?;
    let mut callee = connect(last, callee, trust).await?;
    let [here, there] = [&caller, &callee].map(|peer| peer.welcome().node.clone());
    ensure!(
        !selftest.apart || here != there,
        "both peers are on {here}; two nodes are needed to go from one to another"
    );
    let started = Instant::now();
    pass(&mut caller, &mut callee, MessageKind::Offer).await?;
    pass(&mut callee, &mut caller, MessageKind::Answer).await?;
    println!(
        "offer {here} -> {there} and answer {there} -> {here}: delivered and confirmed in {} ms",
        started.elapsed().as_millis()
    );
    caller.close().await;
    callee.close().await;
    Ok(())
}

/// Connects to one address of the node `name`; with TLS its certificate must be for that name.
async fn connect(
    (address, name): (&SocketAddr, &&String),
    token: &Secret,
    trust: &Option<Trust>,
) -> anyhow::Result<Client> {
    let options = match trust {
        None => ConnectOptions::new(format!("ws://{address}/v1/ws"), token.clone()),
        Some(trust) => ConnectOptions {
            address: Some(*address),
            trust: trust.clone(),
            ..ConnectOptions::new(format!("wss://{name}/v1/ws"), token.clone())
        },
    };
    Client::connect(&options)
        .await
        .with_context(|| address.to_string())
}

/// Sends one message; checks that it arrives unchanged and that its outcome is `delivered`.
async fn pass(from: &mut Client, to: &mut Client, kind: MessageKind) -> anyhow::Result<()> {
    let payload = RawValue::from_string(format!(r#"{{"sdp":"selftest","type":"{kind:?}"}}"#))?;
    let receiver: PeerId = to.welcome().peer.clone();
    let report = from
        .send_and_confirm(kind, receiver.as_str(), &payload, ATTEMPT)
        .await?;
    if let SendOutcome::Error(code) = report.outcome {
        bail!("{kind:?} to {receiver}: {code}: {}", report.message);
    }
    let received = to.message(ATTEMPT).await?;
    let sender = from.welcome().peer.as_str();
    ensure!(
        received.kind == kind && received.from == sender && received.payload.get() == payload.get(),
        "another message than the {kind:?} of {sender} arrived"
    );
    Ok(())
}
