//! What a node did in the last seconds: rates, and how long deliveries took. For people who ask the node itself; monitoring
//! computes both from the metrics.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use prometheus::core::Metric as _;

use crate::{Telemetry, catalogue::SECONDS};

/// The time over which rates are computed.
const WINDOW: Duration = Duration::from_secs(10);

/// The most totals that are kept: one a second over the window, and some more.
const MAX_TOTALS: usize = 16;

/// What a node did since it started.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    at: Instant,
    connects: u64,
    messages: u64,
    /// Deliveries that took at most as long as each bound of the histogram; the last entry has all of them.
    deliveries: Vec<u64>,
}

/// What a node did in the window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Activity {
    /// Connections that clients opened, a second.
    pub connects_per_second: f64,
    /// Messages that clients sent, a second.
    pub messages_per_second: f64,
    /// Of 100 deliveries 99 took at most this time; `None` without a delivery.
    pub delivery_p99: Option<Duration>,
}

/// The totals of the window.
#[derive(Debug, Default)]
pub struct ActivityWindow(VecDeque<Totals>);

impl Telemetry {
    /// What the node did until now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let metrics = &self.metrics;
        let mut deliveries = vec![0; SECONDS.len() + 1];
        for path in &metrics.delivery_seconds {
            let metric = path.metric();
            let histogram = metric.get_histogram();
            for (sum, bucket) in deliveries.iter_mut().zip(histogram.get_bucket()) {
                *sum += bucket.cumulative_count();
            }
            deliveries[SECONDS.len()] += histogram.get_sample_count();
        }
        Totals {
            at: Instant::now(),
            connects: metrics.connections_total.iter().map(|count| count.get()).sum(),
            messages: metrics.messages_in.iter().map(|count| count.get()).sum(),
            deliveries,
        }
    }

    /// Open connections of clients.
    #[must_use]
    pub fn connections(&self) -> u64 {
        let open = self.metrics.connections.iter().map(|gauge| gauge.get());
        open.sum::<i64>().try_into().unwrap_or_default()
    }
}

impl ActivityWindow {
    /// Adds the totals of now, and removes those before the window.
    pub fn observe(&mut self, totals: Totals) {
        let begin = totals.at.checked_sub(WINDOW);
        self.0.push_back(totals);
        // The second one is in the window: the first is not needed for it.
        let is_old = |entry: Option<&Totals>| entry.is_some_and(|entry| Some(entry.at) < begin);
        while is_old(self.0.get(1)) || self.0.len() > MAX_TOTALS {
            self.0.pop_front();
        }
    }

    /// What the node did in the window.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else {
            return Activity::default();
        };
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        if seconds == 0.0 {
            return Activity::default();
        }
        let per_second = |first: u64, last: u64| last.saturating_sub(first) as f64 / seconds;
        let pairs = last.deliveries.iter().zip(&first.deliveries);
        let deliveries: Vec<_> = pairs.map(|(last, first)| last.saturating_sub(*first)).collect();
        Activity {
            connects_per_second: per_second(first.connects, last.connects),
            messages_per_second: per_second(first.messages, last.messages),
            delivery_p99: quantile(&deliveries, 0.99),
        }
    }
}

/// The time that this share of the deliveries did not exceed: evenly spread within its bucket, as Prometheus assumes.
fn quantile(cumulative: &[u64], share: f64) -> Option<Duration> {
    let all = *cumulative.last()?;
    if all == 0 {
        return None;
    }
    let rank = all as f64 * share;
    let index = cumulative.iter().position(|count| *count as f64 >= rank)?;
    // Above the last bound nothing is known but the bound.
    let Some(upper) = SECONDS.get(index) else {
        return SECONDS.last().map(|last| Duration::from_secs_f64(*last));
    };
    let (lower, before) = match index.checked_sub(1) {
        None => (0.0, 0),
        Some(below) => (SECONDS[below], cumulative[below]),
    };
    let within = (rank - before as f64) / (cumulative[index] - before) as f64;
    Some(Duration::from_secs_f64(lower + (upper - lower) * within))
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::MessageKind;

    use super::*;
    use crate::{Path, Transport};

    #[test]
    fn rates_are_those_of_the_window_and_not_of_the_whole_life() {
        let start = Instant::now();
        let totals = |second: u64, connects, messages| Totals {
            at: start + Duration::from_secs(second),
            connects,
            messages,
            deliveries: vec![0; SECONDS.len() + 1],
        };
        let mut window = ActivityWindow::default();
        assert_eq!(window.activity(), Activity::default());
        window.observe(totals(0, 0, 0));
        assert_eq!(window.activity(), Activity::default(), "one moment has no rate");
        window.observe(totals(2, 10, 300));
        let activity = window.activity();
        assert_eq!(
            (activity.connects_per_second, activity.messages_per_second),
            (5.0, 150.0)
        );
        for second in 3..40 {
            window.observe(totals(second, 10, 300));
        }
        assert_eq!(window.activity(), Activity::default(), "nothing happened lately");
        assert!(window.0.len() <= MAX_TOTALS);
    }

    #[test]
    fn the_p99_lies_in_the_bucket_of_the_slow_deliveries() {
        let telemetry = Telemetry::new("n1");
        let mut window = ActivityWindow::default();
        window.observe(telemetry.totals());
        for _ in 0..98 {
            telemetry.delivery_seconds(Path::Local, Duration::from_micros(700));
        }
        for _ in 0..2 {
            telemetry.delivery_seconds(Path::Remote, Duration::from_millis(40));
        }
        telemetry.message_in(MessageKind::Offer, 10);
        let _open = telemetry.connection_opened(Transport::ALL[0]);
        let mut after = telemetry.totals();
        after.at += Duration::from_secs(1);
        window.observe(after);
        let activity = window.activity();
        let p99 = activity.delivery_p99.unwrap();
        let bucket = Duration::from_millis(25)..=Duration::from_millis(50);
        assert!(bucket.contains(&p99), "{p99:?}");
        assert!(activity.messages_per_second > 0.0 && activity.connects_per_second > 0.0);
        assert_eq!(telemetry.connections(), 1);
    }

    #[test]
    fn a_quantile_above_the_last_bound_is_the_last_bound_and_none_without_a_delivery() {
        let mut counts = vec![0; SECONDS.len() + 1];
        assert_eq!(quantile(&counts, 0.99), None);
        counts[SECONDS.len()] = 5;
        assert_eq!(quantile(&counts, 0.99), Some(Duration::from_secs(10)));
        assert_eq!(quantile(&[4; 18], 0.5), Some(Duration::from_micros(25)));
    }
}
