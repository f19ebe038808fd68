//! Proves, every second, that the node receives on one pub/sub connection, and ends a connection whose confirmations are late.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use switchboard_telemetry::BusRebuild;
use tokio::time::{MissedTickBehavior, timeout};

use super::{
    super::{health::ConnectionState, probe::ProbeOutcome},
    connection::Connection,
    ended::Ended,
};
use crate::redis::command::Command;

/// How often the node proves that it receives.
const PROBE_EVERY: Duration = Duration::from_millis(800);

/// How long a probe may take. Shorter than [`PROBE_EVERY`], so that three misses are seen within 3 s.
const PROBE_PATIENCE: Duration = Duration::from_millis(600);

/// Probes missed in a row after which the node calls itself deaf; a single miss proves nothing.
const DEAF_AT_MISSES: u32 = 2;

/// Probes missed in a row after which the connection is replaced.
const MAX_MISSES: u32 = 3;

/// Probes missed in a row while other frames keep coming: the node is behind rather than deaf, and a
/// rebuild would make that worse. After this many it counts as deaf all the same.
const MAX_LAGS: u32 = 10;

/// Confirmations may be this late before the connection counts as broken.
const CONFIRMATION_PATIENCE: Duration = Duration::from_secs(5);

/// Probes until the connection is not fit any more.
pub(super) async fn run(connection: &Connection<'_>) -> Ended {
    let shard = connection.shard;
    begin(connection).await;
    let mut missed = Missed::default();
    let mut late_since = None;
    let mut was_received = false;
    let mut ticks = tokio::time::interval(PROBE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shard.report_subscriptions();
        let confirmations = shard.tables.lock().subscriptions.confirmations();
        let frames = connection.frames.load(Ordering::Relaxed);
        match probe(connection).await {
            ProbeOutcome::Received => {
                missed = Missed::default();
                was_received = true;
                shard.health.set_subscriber(ConnectionState::Up);
            }
            ProbeOutcome::Missed => {
                missed.count(connection.frames.load(Ordering::Relaxed) != frames);
                shard.telemetry.bus_probe_missed();
                if missed.is_deaf() {
                    shard.health.set_subscriber(ConnectionState::Deaf);
                }
                if missed.are_too_many() {
                    if !was_received {
                        // Not one came: this connection may lead to another server than the publisher's.
                        shard.publisher_redial.notify_one();
                    }
                    return Ended::new(BusRebuild::Deaf, "the node does not receive its own probes");
                }
            }
            // The publisher is down, and its state says so.
            ProbeOutcome::NotPublished => {}
        }
        let tables = shard.tables.lock();
        let is_late =
            tables.subscriptions.in_flight() > 0 && tables.subscriptions.confirmations() == confirmations;
        drop(tables);
        late_since = if is_late {
            late_since.or(Some(Instant::now()))
        } else {
            None
        };
        if late_since.is_some_and(|since| since.elapsed() >= CONFIRMATION_PATIENCE) {
            return Ended::new(BusRebuild::Protocol, "Redis does not confirm subscriptions");
        }
    }
}

/// Once the node's own channel is confirmed, everything else is subscribed.
async fn begin(connection: &Connection<'_>) {
    let shard = connection.shard;
    connection.node_channel_confirmed.notified().await;
    shard.tables.lock().subscriptions.begin();
    shard.health.set_subscriber_connected(true);
    tracing::debug!(
        generation = connection.generation,
        "the node's own channel is subscribed"
    );
    shard.subscription_changes.notify_one();
    shard.publisher_retry.notify_one();
    shard.claim_work.notify_one();
}

async fn probe(connection: &Connection<'_>) -> ProbeOutcome {
    let shard = connection.shard;
    let nonce = shard.probe.begin();
    if shard.send(Command::Probe { nonce }).is_ok() {
        let received = async {
            while shard.probe.outcome() != ProbeOutcome::Received {
                shard.probe.received.notified().await;
            }
        };
        // Silence counts below, in the outcome.
        let _ = timeout(PROBE_PATIENCE, received).await;
    }
    shard.probe.outcome()
}

/// Probes missed since one was received.
#[derive(Debug, Default)]
struct Missed {
    /// While nothing else came.
    in_silence: u32,
    /// While other frames came.
    behind: u32,
}

impl Missed {
    fn count(&mut self, other_frames_came: bool) {
        if other_frames_came {
            self.behind += 1;
        } else {
            self.in_silence += 1;
        }
    }

    fn is_deaf(&self) -> bool {
        self.in_silence >= DEAF_AT_MISSES
    }

    fn are_too_many(&self) -> bool {
        self.in_silence >= MAX_MISSES || self.behind >= MAX_LAGS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(in_silence: u32, behind: u32) -> Missed {
        let mut missed = Missed::default();
        (0..in_silence).for_each(|_| missed.count(false));
        (0..behind).for_each(|_| missed.count(true));
        missed
    }

    #[test]
    fn two_misses_in_silence_are_deafness_and_the_third_ends_the_connection() {
        let state = |silence| {
            let missed = missed(silence, 0);
            (missed.is_deaf(), missed.are_too_many())
        };
        assert_eq!(state(1), (false, false));
        assert_eq!(state(2), (true, false));
        assert_eq!(state(3), (true, true));
    }

    #[test]
    fn a_node_that_is_behind_has_more_patience_and_is_not_called_deaf() {
        let state = |behind| {
            let missed = missed(1, behind);
            (missed.is_deaf(), missed.are_too_many())
        };
        assert_eq!(state(9), (false, false));
        assert_eq!(state(10), (false, true));
    }
}
