//! Connects with tokens that must be refused. Switchboard only: other servers check no tokens, or different ones.

use std::{sync::Arc, time::Duration};

use switchboard_client::{Client, ConnectError, ConnectOptions, Trust};
use tokio::{task::JoinSet, time::Instant};

use super::{
    oracle::Oracle,
    pacer::{MAX_BACKLOG, Starts},
    schedule::Schedule,
    share::Share,
};
use crate::{
    drivers::tokens::{Bad, Tokens},
    record::Counter,
    scenario::{Abuse, Target},
};

/// Attempts under way at once; starts beyond are dropped.
const MAX_AT_ONCE: usize = 1024;

/// How long an attempt may take.
const ATTEMPT_TIME: Duration = Duration::from_secs(10);

/// Makes the attempts from `start` on.
pub(crate) async fn run(
    abuse: Abuse,
    target: Target,
    tokens: Arc<Tokens>,
    oracle: Arc<Oracle>,
    start: Instant,
    share: Share,
    seed: u64,
) {
    let seed = share.seed(seed, 3);
    let moments = Schedule::new(&abuse.stages, share.of_rate(1.0), abuse.arrivals, seed);
    let mut attempts = JoinSet::new();
    let mut targets = Bad::ALL.iter().cycle().zip(target.urls.iter().cycle());
    // A file that cannot be used has ended the run before.
    let trust = target.trust().unwrap_or_default();
    for mut starts in Starts::shared(moments, start, &oracle.recorder, 1, MAX_BACKLOG) {
        while starts.next().await.is_some() {
            while attempts.try_join_next().is_some() {}
            let Some((how, url)) = targets.next().filter(|_| attempts.len() < MAX_AT_ONCE) else {
                oracle.recorder.count(Counter::Dropped);
                continue;
            };
            let (tokens, oracle) = (Arc::clone(&tokens), Arc::clone(&oracle));
            let (url, trust) = (url.clone(), trust.clone());
            attempts.spawn(async move { attempt(&tokens, &oracle, url, trust, *how).await });
        }
    }
    while attempts.join_next().await.is_some() {}
}

async fn attempt(tokens: &Tokens, oracle: &Oracle, url: String, trust: Trust, how: Bad) {
    let Ok(token) = tokens.mint_bad("abuser", how) else {
        return;
    };
    let recorder = &oracle.recorder;
    recorder.count(Counter::AbuseTried);
    let mut options = ConnectOptions::new(url, token);
    options.timeout = ATTEMPT_TIME;
    options.trust = trust;
    match Client::connect(&options).await {
        Ok(client) => {
            recorder.count(Counter::AbuseAccepted);
            recorder.error(&format!("abuse: accepted with {how:?}"));
            client.close().await;
        }
        Err(ConnectError::Refused { .. }) => recorder.count(Counter::AbuseRefused),
        Err(_) => recorder.error("abuse: not accepted, not refused"),
    }
}
