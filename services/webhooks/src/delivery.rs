//! Delivers the events of one endpoint: one task, which alone knows its state. It reads the partitions that this node
//! holds, sends at most a few requests at once, and removes what the endpoint has taken.
//!
//! An event is sent only after the endpoint has taken the one before it of the same peer, or that one was given up. So
//! first arrivals are in order whatever nodes do, and the lease of a partition only saves repetitions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::RwLock;
use switchboard_core::{EventStreams, Page, ReadFrom, StreamEntry};
use switchboard_telemetry::{Coalesced, Telemetry, WebhookOutcome};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backlogs::Backlogs,
    backoff::Backoff,
    config::WebhooksConfig,
    endpoint::Endpoint,
    gate::Gate,
    observer::now_ms,
    request::{self, Answer},
    window::Window,
};

/// How often the streams are read: an event waits for about half of it.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// How often the lease of the partitions is renewed.
const HOLD_EVERY: Duration = Duration::from_secs(3);

/// How soon a renewal that failed is tried again.
const RETRY_HOLD_AFTER: Duration = Duration::from_millis(500);

/// How long the end may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// The task of one endpoint.
pub(crate) struct Delivery {
    endpoint: Arc<Endpoint>,
    /// Its place in the configuration.
    index: usize,
    config: Arc<WebhooksConfig>,
    client: Arc<RwLock<reqwest::Client>>,
    streams: Arc<dyn EventStreams>,
    backlogs: Arc<Backlogs>,
    telemetry: Telemetry,
    partitions: BTreeMap<usize, Reading>,
    window: Window,
    gate: Gate,
    requests: JoinSet<Finished>,
    /// Entries that the endpoint has taken.
    done: Vec<(usize, String)>,
    held_since: Option<Instant>,
    hold_at: Instant,
    lines: Coalesced,
}

/// How far a partition was read.
struct Reading {
    from: ReadFrom,
    /// It is more than this node's share, and is released once its requests have ended.
    is_surplus: bool,
}

/// A request that has ended.
struct Finished {
    partition: usize,
    entry: StreamEntry,
    epoch: u64,
    took: Duration,
    answer: Answer,
}

impl Delivery {
    pub(crate) fn new(
        index: usize,
        config: Arc<WebhooksConfig>,
        endpoint: Arc<Endpoint>,
        client: Arc<RwLock<reqwest::Client>>,
        streams: Arc<dyn EventStreams>,
        backlogs: Arc<Backlogs>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            gate: Gate::new(backoff(&config), config.requests),
            endpoint,
            index,
            config,
            client,
            streams,
            backlogs,
            telemetry,
            partitions: BTreeMap::new(),
            window: Window::default(),
            requests: JoinSet::new(),
            done: Vec::new(),
            held_since: None,
            hold_at: Instant::now(),
            lines: Coalesced::new(),
        }
    }

    /// Runs until `end`. Another node repeats the requests that are under way then.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        let mut poll = interval(POLL_EVERY);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = Instant::now();
            let due = self.gate.opens_at(now).or_else(|| self.window.next_due());
            tokio::select! {
                () = end.cancelled() => break,
                Some(finished) = self.requests.join_next() => {
                    // A request that panicked is repeated when its partition is read again.
                    if let Ok(finished) = finished {
                        self.on_finished(finished).await;
                    }
                }
                _ = poll.tick() => self.exchange().await,
                () = sleep_until(due.unwrap_or(now)), if due.is_some_and(|due| due > now) => {}
            }
            self.send_due();
        }
        let leave = async {
            self.remove_done().await;
            self.streams.leave(self.endpoint.name()).await
        };
        // Without it the partitions are free when their lease ends.
        let _ = timeout(LEAVE_WITHIN, leave).await;
    }

    /// Brings the streams and the window up to date.
    async fn exchange(&mut self) {
        self.remove_done().await;
        if self.hold_at <= Instant::now() {
            self.hold().await;
        }
        self.read().await;
    }

    async fn remove_done(&mut self) {
        if self.done.is_empty() {
            return;
        }
        // After an error they are removed later; a node that takes over meanwhile repeats them.
        if self
            .streams
            .remove(self.endpoint.name(), &self.done)
            .await
            .is_ok()
        {
            self.done.clear();
        }
    }

    async fn hold(&mut self) {
        let began = Instant::now();
        let is_kept =
            |(number, reading): &(&usize, &Reading)| !reading.is_surplus || !self.window.is_empty(**number);
        let kept: Vec<_> = self
            .partitions
            .iter()
            .filter(is_kept)
            .map(|(number, _)| *number)
            .collect();
        let held = match self.streams.hold(self.endpoint.name(), &kept).await {
            Ok(held) => held,
            Err(error) => {
                tracing::debug!(endpoint = self.endpoint.name(), %error, "the lease of a webhook's events was not renewed");
                self.hold_at = began + RETRY_HOLD_AFTER;
                return;
            }
        };
        if !self.is_holder() {
            // Another node may have read meanwhile: what it has read and not delivered is found from the beginning.
            for (number, _) in std::mem::take(&mut self.partitions) {
                self.window.forget(number);
            }
        }
        (self.held_since, self.hold_at) = (Some(began), began + HOLD_EVERY);
        self.backlogs.set(self.index, held.backlog, &self.telemetry);
        for lost in self
            .partitions
            .extract_if(.., |number, _| !held.partitions.contains(number))
        {
            self.window.forget(lost.0);
        }
        for (place, number) in held.partitions.into_iter().enumerate() {
            let is_surplus = place >= held.share;
            let reading = self.partitions.entry(number).or_insert_with(|| Reading {
                from: ReadFrom::start(),
                is_surplus,
            });
            if is_surplus {
                reading.from = ReadFrom::start();
                self.window.stop(number);
            }
            reading.is_surplus = is_surplus;
        }
    }

    /// Whether the partitions are certainly this node's.
    fn is_holder(&self) -> bool {
        self.held_since
            .is_some_and(|since| since.elapsed() < self.streams.lease())
    }

    async fn read(&mut self) {
        let wanted = self.partitions.iter().filter(|(_, reading)| !reading.is_surplus);
        let wanted =
            wanted.map(|(number, reading)| (*number, reading.from.clone(), self.window.room(*number)));
        let wanted: Vec<_> = wanted.filter(|(_, _, room)| *room > 0).collect();
        if wanted.is_empty() {
            return;
        }
        let pages = match self.streams.read(self.endpoint.name(), &wanted).await {
            Ok(pages) => pages,
            Err(error) => {
                tracing::debug!(endpoint = self.endpoint.name(), %error, "the events of a webhook were not read");
                return;
            }
        };
        for ((number, ..), page) in wanted.into_iter().zip(pages) {
            match page {
                Page::Lost => {
                    self.partitions.remove(&number);
                    self.window.forget(number);
                }
                Page::Entries { next, entries } => {
                    if let Some(reading) = self.partitions.get_mut(&number) {
                        reading.from = next;
                    }
                    for entry in entries {
                        self.window.push(number, entry);
                    }
                }
            }
        }
    }

    /// Sends what may be sent now.
    fn send_due(&mut self) {
        let now = Instant::now();
        if !self.is_holder() {
            return;
        }
        while self.requests.len() < self.gate.places(now) {
            let Some((partition, entry)) = self.window.next(now) else {
                return;
            };
            let epoch = self.gate.epoch();
            let event = entry.event.clone();
            let request = request::send(self.client.read().clone(), Arc::clone(&self.endpoint), event);
            self.requests.spawn(async move {
                let answer = request.await;
                Finished {
                    partition,
                    entry,
                    epoch,
                    took: now.elapsed(),
                    answer,
                }
            });
        }
    }

    async fn on_finished(&mut self, finished: Finished) {
        let Finished {
            partition,
            entry,
            epoch,
            took,
            answer,
        } = finished;
        self.telemetry.webhook_request(answer.outcome, took);
        let now = Instant::now();
        match answer.outcome {
            WebhookOutcome::Delivered => {
                self.gate.answered();
                self.window.done(&entry);
                self.done.push((partition, entry.entry));
            }
            WebhookOutcome::Refused => {
                self.gate.answered();
                let refusals = self.window.refused(&entry);
                let wait = backoff(&self.config).wait(refusals, answer.retry_after);
                self.log(&answer.reason);
                if refusals >= self.config.refusals {
                    let reason = format!("refused {refusals} times, at last with {}", answer.reason);
                    self.give_up(partition, &entry, &reason).await;
                } else {
                    self.window.retry(&entry, now + wait);
                }
            }
            WebhookOutcome::Unreachable => {
                self.gate.failed(epoch, answer.retry_after, now);
                self.log(&answer.reason);
                let age = Duration::from_millis(now_ms().saturating_sub(entry.event.at_ms));
                if age > self.config.retry_for {
                    let reason = format!("older than webhooks.retry_for_s, at last: {}", answer.reason);
                    self.give_up(partition, &entry, &reason).await;
                } else {
                    self.window.retry(&entry, now);
                }
            }
        }
    }

    async fn give_up(&mut self, partition: usize, entry: &StreamEntry, reason: &str) {
        let (name, bounds) = (self.endpoint.name(), self.config.bounds());
        match self.streams.give_up(name, partition, entry, reason, bounds).await {
            Ok(()) => {
                self.telemetry
                    .webhook_event_given_up(name, &entry.event.id, reason);
                self.window.done(entry);
            }
            Err(error) => {
                tracing::debug!(endpoint = name, %error, "an event was not moved to the dead ones");
                let wait = backoff(&self.config).wait(1, None);
                self.window.retry(entry, Instant::now() + wait);
            }
        }
    }

    fn log(&self, reason: &str) {
        self.lines.note(|count| {
            let endpoint = self.endpoint.name();
            tracing::warn!(
                endpoint,
                count,
                reason,
                "requests of a webhook had no success; they are repeated"
            );
        });
    }
}

fn backoff(config: &WebhooksConfig) -> Backoff {
    Backoff {
        first: config.first_retry,
        longest: config.longest_retry,
    }
}
