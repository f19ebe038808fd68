//! Bystanders that come and go: each connects from an address of its own, sends one message to a greeter on the other node,
//! and leaves.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use switchboard_client::{Client, ConnectOptions, Trust};
use switchboard_protocol::MessageKind;
use switchboard_testkit::{payload, token};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, interval},
};

use crate::{scene::GREETERS, tally::Tally};

/// The time between two newcomers.
const COME_EVERY: Duration = Duration::from_millis(250);

/// A newcomer that is not welcome by then counts as refused.
const WELCOME_WITHIN: Duration = Duration::from_secs(2);

/// How long its message may take: more than the deadline of a send.
const OUTCOME_WITHIN: Duration = Duration::from_secs(7);

/// Sends newcomers until `sending` is false, and returns when all have left.
pub(crate) async fn come_and_go(tally: Arc<Tally>, urls: [String; 2], mut sending: watch::Receiver<bool>) {
    let mut ticks = interval(COME_EVERY);
    let mut visits = JoinSet::new();
    for number in 0_u32.. {
        tokio::select! {
            _ = ticks.tick() => {}
            // It changes once.
            _ = sending.changed() => break,
        }
        let [first, second] = &urls;
        // The greeter is on the other node.
        let (url, greeter) = match number % 2 {
            0 => (first, GREETERS[1]),
            _ => (second, GREETERS[0]),
        };
        visits.spawn(visit(Arc::clone(&tally), url.clone(), number, greeter));
    }
    while visits.join_next().await.is_some() {}
}

async fn visit(tally: Arc<Tally>, url: String, number: u32, greeter: &str) {
    let name = format!("newcomer-{number}");
    if let Err(error) = try_visit(&tally, url, &name, number, greeter).await {
        tally.error(format!("{name}: {error:#}"));
    }
}

async fn try_visit(tally: &Tally, url: String, name: &str, number: u32, greeter: &str) -> anyhow::Result<()> {
    let last = u8::try_from(number % 250 + 1)?;
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 8, last));
    let mut options = ConnectOptions::new(url, token(name)?).bind_address(from);
    options.trust = Trust::anything();
    options.timeout = WELCOME_WITHIN;
    let start = Instant::now();
    let mut client = match Client::connect(&options).await {
        Ok(client) => client,
        Err(error) => {
            tally.refused(format!("{name}: {error}"));
            return Ok(());
        }
    };
    tally.connected(start);
    let sent = Instant::now();
    let hello = payload("\"hello\"")?;
    let report = client
        .send_and_confirm(MessageKind::Offer, greeter, &hello, OUTCOME_WITHIN)
        .await?;
    anyhow::ensure!(
        report.is_delivered(),
        "to {greeter}: {:?} {}",
        report.outcome,
        report.message
    );
    tally.delivered(sent);
    client.close().await;
    Ok(())
}
