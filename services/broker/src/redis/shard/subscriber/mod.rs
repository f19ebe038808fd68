//! The pub/sub connection. It is rebuilt when it is lost, when the node receives nothing, or when Redis breaks the
//! protocol. Not a general pub/sub client, and not the table of subscriptions (`tables`).
//!
//! There is no queue between the reader and the node: `BrokerEvents` promises to return at once
//! (its own queues are bounded per receiver), so a queue would only add a copy, a wake-up and one more place
//! to overflow. The reader yields to other tasks after every few frames instead.
//!
//! An old connection delivers nothing: its socket, reader and writer are one future, dropped before the next
//! connection is made.

mod connection;
mod ended;
pub(crate) mod parser;
mod prober;
mod reader;
mod writer;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use switchboard_core::BrokerEvents;
use switchboard_telemetry::BusRebuild;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    health::ConnectionState,
    rooms,
    state::{OTHER_SERVER, Shard},
};
use crate::redis::{
    backoff::Backoff,
    command::Command,
    dial::{Dialled, Stream, dial},
};
use connection::Connection;
use ended::Ended;

/// Keeps a pub/sub connection until it is dropped.
pub(crate) async fn run(shard: Arc<Shard>, events: Arc<dyn BrokerEvents>) {
    let mut backoff = Backoff::default();
    let mut wait = Duration::ZERO;
    let mut generation: u64 = 0;
    // A run that does not hold the lease must not receive for the node.
    shard.lease.first_held.notified().await;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shard.subscriber_retry.notified() => {}
        }
        let (ended, next) = match dial_unless_changed(&shard).await {
            Err(why) => (Ended::new(BusRebuild::Connect, why), backoff.after_failure()),
            Ok(dialled) => {
                generation += 1;
                let since = Instant::now();
                shard.health.subscriber_rebuilding();
                let ended = run_one(&shard, events.as_ref(), generation, dialled).await;
                let worked_since = shard.health.is_subscriber_connected().then_some(since);
                (ended, backoff.after_connection(worked_since))
            }
        };
        wait = next;
        shard.health.set_subscriber_connected(false);
        rooms::subscriptions_lost(&shard);
        shard.report_subscriptions();
        tracing::debug!(generation, reason = ?ended.reason, why = ended.why, "the pub/sub connection is rebuilt");
        shard.health.set_subscriber(match ended.reason {
            BusRebuild::Deaf => ConnectionState::Deaf,
            BusRebuild::Connect
            | BusRebuild::Closed
            | BusRebuild::Overflow
            | BusRebuild::Protocol
            | BusRebuild::Replica => ConnectionState::Down(ended.why),
        });
        shard.telemetry.bus_rebuilt(ended.reason);
        // If Redis itself is gone, the publisher should find out now and not at its next command.
        let _ = shard.send(Command::Probe { nonce: 0 });
    }
}

/// Dials, until another server is the master.
async fn dial_unless_changed(shard: &Shard) -> Result<Dialled, String> {
    // A request that belongs to an earlier connection.
    let _ = shard.subscriber_redial.notified().now_or_never();
    tokio::select! {
        dialled = dial(&shard.endpoint) => dialled,
        () = shard.subscriber_redial.notified() => Err(OTHER_SERVER.to_owned()),
    }
}

/// Uses one connection as long as it is fit.
async fn run_one(shard: &Shard, events: &dyn BrokerEvents, generation: u64, dialled: Dialled) -> Ended {
    // Before anything is read: a lease that ran out earlier must not end this connection again.
    if shard.lease.may_be_lost() {
        shard.lease.check_begins();
        shard.tables.lock().pause();
    }
    // A request that belongs to an earlier connection.
    let _ = shard.subscriber_redial.notified().now_or_never();
    if !shard.endpoint.leads_to(&dialled.address) {
        return Ended::new(BusRebuild::Replica, OTHER_SERVER);
    }
    let connection = Connection::new(shard, events, generation);
    match dialled.stream {
        // Its halves need no lock between them.
        Stream::Tcp(stream) => {
            let (from_redis, to_redis) = stream.into_split();
            use_halves(&connection, from_redis, to_redis).await
        }
        Stream::Tls(stream) => {
            let (from_redis, to_redis) = tokio::io::split(stream);
            use_halves(&connection, from_redis, to_redis).await
        }
    }
}

async fn use_halves(
    connection: &Connection<'_>,
    from_redis: impl AsyncRead + Unpin,
    to_redis: impl AsyncWrite + Unpin,
) -> Ended {
    tokio::select! {
        ended = reader::run(connection, from_redis) => ended,
        ended = writer::run(connection, to_redis) => ended,
        ended = prober::run(connection) => ended,
        () = connection.shard.subscriber_redial.notified() => Ended::new(BusRebuild::Replica, OTHER_SERVER),
    }
}
