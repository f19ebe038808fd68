//! Connects with tokens that must be refused. Switchboard only: the others check nothing, or other things.

use std::{sync::Arc, time::Duration};

use switchboard_client::{Client, ConnectError, ConnectOptions};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{judge::Judge, pacer, schedule::Schedule, share::Share};
use crate::{
    drivers::tokens::{Bad, Tokens},
    record::{Counter, Metric},
    scenario::Abuse,
};

/// Attempts under way at once; starts beyond are dropped.
const AT_ONCE: usize = 1024;

/// How long an attempt may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Makes the attempts from `start` on.
pub(crate) async fn run(
    abuse: Abuse,
    urls: Vec<String>,
    tokens: Arc<Tokens>,
    judge: Arc<Judge>,
    start: Instant,
    share: Share,
    seed: u64,
) {
    let moments = Schedule::new(
        &abuse.stages,
        share.of_rate(1.0),
        abuse.arrivals,
        share.seed(seed, 3),
    );
    let (taker, mut planned) = pacer::channel();
    pacer::start(start.into_std(), moments, vec![taker], || {});
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut attempts = JoinSet::new();
    let mut kinds = Bad::ALL.iter().cycle();
    let mut urls = urls.iter().cycle();
    while let Some(at) = planned.recv().await {
        judge.recorder.count(Counter::Planned);
        let late = start.elapsed().saturating_sub(at);
        judge.recorder.time(Metric::StartDelay, late, Duration::ZERO);
        while attempts.try_join_next().is_some() {}
        let (Ok(place), Some(how), Some(url)) =
            (Arc::clone(&room).try_acquire_owned(), kinds.next(), urls.next())
        else {
            judge.recorder.count(Counter::Dropped);
            continue;
        };
        let (tokens, judge, url) = (Arc::clone(&tokens), Arc::clone(&judge), url.clone());
        attempts.spawn(async move {
            attempt(&tokens, &judge, url, *how).await;
            drop(place);
        });
    }
    while attempts.join_next().await.is_some() {}
}

async fn attempt(tokens: &Tokens, judge: &Judge, url: String, how: Bad) {
    let Ok(token) = tokens.mint_bad("abuser", how) else {
        return;
    };
    judge.recorder.count(Counter::AbuseTried);
    let mut options = ConnectOptions::new(url, token);
    options.timeout = WITHIN;
    match Client::connect(&options).await {
        Ok(client) => {
            judge.recorder.count(Counter::AbuseAccepted);
            judge.recorder.error(&format!("abuse: let in with {how:?}"));
            client.close().await;
        }
        Err(ConnectError::Refused { .. }) => judge.recorder.count(Counter::AbuseRefused),
        Err(_) => judge.recorder.error("abuse: neither let in nor refused"),
    }
}
