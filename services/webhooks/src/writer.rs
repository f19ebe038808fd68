//! Appends the node's events to the streams of the endpoints that want them, in order, again until the bus takes them.
//! What does not fit into the queue meanwhile is dropped by `observer`.

use std::{sync::Arc, time::Duration};

use switchboard_core::{Append, EventStreams, StreamBounds};
use switchboard_telemetry::{Coalesced, Telemetry, WebhookDrop};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{backoff::Backoff, endpoint::Endpoint, observer::QueuedEvent};

/// Events appended at once.
const BATCH: usize = 128;

/// The waits while the bus takes nothing.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(2),
};

pub(crate) struct Writer {
    pub(crate) queue: mpsc::Receiver<QueuedEvent>,
    pub(crate) endpoints: Arc<[Arc<Endpoint>]>,
    pub(crate) streams: Arc<dyn EventStreams>,
    pub(crate) bounds: StreamBounds,
    pub(crate) telemetry: Telemetry,
}

impl Writer {
    /// Runs until `end`, and then until the queue is empty.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        let mut events = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                received = self.queue.recv_many(&mut events, BATCH) => if received == 0 { return },
                () = end.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            }
            let appends = self.fan_out(&events);
            events.clear();
            if !appends.is_empty() {
                self.append(&appends).await;
            }
        }
    }

    fn fan_out(&self, events: &[QueuedEvent]) -> Vec<Append> {
        let wanted = |queued: &QueuedEvent, endpoint: &Endpoint| {
            endpoint.wants(queued.kind) && endpoint.serves(queued.tenant())
        };
        let appends = events.iter().flat_map(|queued| {
            let endpoints = self.endpoints.iter().filter(|endpoint| wanted(queued, endpoint));
            endpoints.map(|endpoint| Append {
                stream: endpoint.name().into(),
                event: Arc::clone(&queued.event),
                at_most_every: queued.kind.at_most_every(),
            })
        });
        appends.collect()
    }

    async fn append(&self, appends: &[Append]) {
        static LINES: Coalesced = Coalesced::new();
        for failures in 1.. {
            match self.streams.append(appends, self.bounds).await {
                Ok(dropped) => {
                    self.telemetry.webhook_events_appended(appends.len() as u64);
                    self.telemetry.webhook_events_dropped(WebhookDrop::StreamFull, dropped);
                    return;
                }
                Err(error) => LINES.note(|count| {
                    tracing::warn!(count, %error, "events for webhooks wait in this node: the bus does not take them");
                }),
            }
            sleep(BACKOFF.wait(failures, None)).await;
        }
    }
}
