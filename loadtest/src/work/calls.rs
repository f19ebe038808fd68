//! When calls start: on the schedule, independent of the servers (open), or each after the one before (closed).

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    call::{self, CallPlan},
    pacer::{MAX_BACKLOG, Starts},
    schedule::{Schedule, rate_at},
    share::Share,
};
use crate::{
    drivers::Driver,
    record::Counter,
    scenario::{Model, highest_rate, length_of},
};

/// How often users of the closed model check whether there should be more or fewer of them.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Runs the stages of the calls from `start` on, and every call to its end.
pub(crate) async fn run<D: Driver>(plan: Arc<CallPlan<D>>, start: Instant, share: Share, seed: u64) {
    match plan.calls.model {
        Model::Open => open(plan, start, share, seed).await,
        Model::Closed => closed(plan, start, share).await,
    }
}

async fn open<D: Driver>(plan: Arc<CallPlan<D>>, start: Instant, share: Share, seed: u64) {
    let calls = &plan.calls;
    let moments = Schedule::new(
        &calls.stages,
        share.of_rate(1.0),
        calls.arrivals,
        share.seed(seed, 1),
    );
    let max_at_once = share.of_count(calls.max_at_once).max(1);
    let recorder = &plan.oracle.recorder;
    let (mut running, mut number) = (JoinSet::new(), 0);
    for mut starts in Starts::shared(moments, start, recorder, 1, MAX_BACKLOG) {
        loop {
            let late = tokio::select! {
                biased;
                _ = running.join_next(), if !running.is_empty() => continue,
                late = starts.next() => late,
            };
            let Some(late) = late else { break };
            if running.len() >= max_at_once {
                recorder.count(Counter::Dropped);
                continue;
            }
            let plan = Arc::clone(&plan);
            running.spawn(async move { call::run(&plan, number, late).await });
            number += 1;
        }
    }
    while running.join_next().await.is_some() {}
}

/// As many users as the stages' rate says, each with one call after the other.
async fn closed<D: Driver>(plan: Arc<CallPlan<D>>, start: Instant, share: Share) {
    let users = share.of_count(highest_rate(&plan.calls.stages).ceil() as usize);
    let mut running = JoinSet::new();
    for user in 0..users {
        let plan = Arc::clone(&plan);
        running.spawn(async move {
            sleep_until(start).await;
            let end = length_of(&plan.calls.stages);
            let mut round = 0;
            while start.elapsed() < end {
                let wanted = rate_at(&plan.calls.stages, start.elapsed());
                if user < share.of_count(wanted.round() as usize) {
                    plan.oracle.recorder.count(Counter::Planned);
                    call::run(&plan, round * users as u64 + user as u64, Duration::ZERO).await;
                    round += 1;
                } else {
                    sleep_until(Instant::now() + CHECK_EVERY).await;
                }
            }
        });
    }
    while running.join_next().await.is_some() {}
}
