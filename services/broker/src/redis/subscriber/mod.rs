//! The project's own subscription manager: one pub/sub connection, a desired set against a confirmed one,
//! rebuilt whenever it is lost, deaf or speaks nonsense. Not a general pub/sub client.
//!
//! There is no hand-off queue between the reader and the node: `BrokerEvents` promises to return at once
//! (what it fills is bounded per receiver), so a queue would only add a copy, a wake-up and one more place
//! to overflow. The reader yields to other tasks after every few frames instead.
//!
//! A stale connection cannot speak: its socket, reader and writer are one future, dropped before the next
//! connection is made.

mod connection;
pub(crate) mod desired;
mod dial;
mod parser;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_core::BrokerEvents;
use switchboard_telemetry::BusRebuild;

use super::{backoff::Backoff, command::Command, health::Side, shared::Shared};
use connection::Connection;

/// Why a connection had to be given up.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: BusRebuild,
    /// For people.
    pub(crate) why: String,
}

impl Ended {
    pub(crate) fn new(reason: BusRebuild, why: impl Into<String>) -> Self {
        Self {
            reason,
            why: why.into(),
        }
    }
}

/// Keeps a pub/sub connection until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>, events: Arc<dyn BrokerEvents>) {
    let mut backoff = Backoff::default();
    let mut wait = Duration::ZERO;
    let mut generation: u64 = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.bus_retry.notified() => {}
        }
        let (ended, next) = match dial::dial(&shared.endpoint).await {
            Err(why) => (Ended::new(BusRebuild::Connect, why), backoff.after_failure()),
            Ok(stream) => {
                generation += 1;
                let since = Instant::now();
                shared.health.bus_rebuilding();
                let ended = Connection::new(&shared, events.as_ref(), generation)
                    .run(stream)
                    .await;
                (ended, backoff.after_connection(since))
            }
        };
        wait = next;
        shared.health.bus_connected(false);
        shared.desired.lock().lost();
        shared.report_subscriptions();
        tracing::warn!(generation, reason = ?ended.reason, why = ended.why, "the pub/sub connection is rebuilt");
        shared.health.bus(match ended.reason {
            BusRebuild::Deaf => Side::Deaf,
            BusRebuild::Connect | BusRebuild::Closed | BusRebuild::Overflow | BusRebuild::Protocol => {
                Side::Down(ended.why)
            }
        });
        shared.telemetry.bus_rebuilt(ended.reason);
        // If Redis itself is gone, the other direction should find out now and not at its next command.
        let _ = shared.send(Command::Probe { nonce: 0 });
    }
}
