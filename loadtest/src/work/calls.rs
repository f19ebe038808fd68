//! When calls start: on the schedule, whatever the servers do (open), or each after the one before (closed).

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    call::{self, Line},
    pacer,
    schedule::{self, Schedule},
    share::Share,
};
use crate::{
    drivers::Driver,
    record::{Counter, Metric},
    scenario::Model,
};

/// How often users of the closed model look whether there should be more or fewer of them.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs the calls' stages from `start` on, and every call to its end.
pub(crate) async fn run<D: Driver>(line: Arc<Line<D>>, start: Instant, share: Share, seed: u64) {
    match line.calls.model {
        Model::Open => open(line, start, share, seed).await,
        Model::Closed => closed(line, start, share).await,
    }
}

async fn open<D: Driver>(line: Arc<Line<D>>, start: Instant, share: Share, seed: u64) {
    let moments = Schedule::new(
        &line.calls.stages,
        share.of_rate(1.0),
        line.calls.arrivals,
        share.seed(seed, 1),
    );
    let most_at_once = share.of_count(line.calls.most_at_once).max(1);
    let (taker, mut planned) = pacer::channel();
    let recorder = Arc::clone(&line.judge.recorder);
    let lagging = Arc::clone(&recorder);
    pacer::start(start.into_std(), moments, vec![taker], move || {
        lagging.count(Counter::Planned);
        lagging.count(Counter::Dropped);
    });
    let mut calls = JoinSet::new();
    let mut number = 0;
    while let Some(at) = next(&mut planned, &mut calls).await {
        recorder.count(Counter::Planned);
        let late = start.elapsed().saturating_sub(at);
        recorder.time(Metric::StartDelay, late, Duration::ZERO);
        if calls.len() >= most_at_once {
            recorder.count(Counter::Dropped);
            continue;
        }
        let line = Arc::clone(&line);
        calls.spawn(async move { call::run(&line, number, late).await });
        number += 1;
    }
    while calls.join_next().await.is_some() {}
}

/// The next moment; calls that end meanwhile are forgotten.
async fn next(planned: &mut mpsc::Receiver<Duration>, calls: &mut JoinSet<()>) -> Option<Duration> {
    loop {
        tokio::select! {
            biased;
            _ = calls.join_next(), if !calls.is_empty() => {}
            moment = planned.recv() => return moment,
        }
    }
}

/// As many users as the stages' rate says, each with one call after the other.
async fn closed<D: Driver>(line: Arc<Line<D>>, start: Instant, share: Share) {
    let stages = &line.calls.stages;
    let most = stages
        .iter()
        .map(|stage| stage.rate.max(stage.to.unwrap_or_default()))
        .fold(0.0, f64::max);
    let users = share.of_count(most.ceil() as usize);
    let mut set = JoinSet::new();
    for user in 0..users {
        let line = Arc::clone(&line);
        set.spawn(async move {
            sleep_until(start).await;
            let end = schedule::length(&line.calls.stages);
            let mut round = 0;
            while start.elapsed() < end {
                let wanted = schedule::rate_at(&line.calls.stages, start.elapsed());
                if user < share.of_count(wanted.round() as usize) {
                    line.judge.recorder.count(Counter::Planned);
                    call::run(&line, round * users as u64 + user as u64, Duration::ZERO).await;
                    round += 1;
                } else {
                    sleep_until(Instant::now() + LOOK_EVERY).await;
                }
            }
        });
    }
    while set.join_next().await.is_some() {}
}
