//! Hears the events of the node and queues those that an endpoint wants. It never waits: an event that does not fit is
//! dropped and counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use switchboard_core::{NodeEvent, Observer, StreamEvent};
use switchboard_telemetry::{Telemetry, WebhookDrop};
use tokio::sync::mpsc;

use crate::{
    endpoint::Endpoint,
    event::{self, EventKind},
};

/// Events that wait for the bus. An event has less than [`MAX_EVENT_BYTES`], so they are at most 16 MiB.
pub(crate) const QUEUED_EVENTS: usize = 16_384;

/// The largest event, in bytes: three names of 128 bytes, and JSON around them.
#[cfg(test)]
const MAX_EVENT_BYTES: usize = 1_024;

/// An event on its way into the streams.
#[derive(Debug)]
pub(crate) struct QueuedEvent {
    pub(crate) kind: EventKind,
    pub(crate) event: Arc<StreamEvent>,
}

impl QueuedEvent {
    /// The tenant in whose name it happened.
    pub(crate) fn tenant(&self) -> &str {
        self.event.key.split('/').next().unwrap_or_default()
    }
}

/// The node's observer.
pub(crate) struct QueueingObserver {
    /// Which kinds some endpoint wants.
    wanted: Vec<EventKind>,
    node: String,
    /// Random, so that no two runs of nodes give two events one id.
    run: u64,
    next: AtomicU64,
    queue: mpsc::Sender<QueuedEvent>,
    telemetry: Telemetry,
}

impl QueueingObserver {
    /// The observer of `node` for `endpoints`, and the end of its queue.
    pub(crate) fn new(
        node: &str,
        endpoints: &[Arc<Endpoint>],
        telemetry: Telemetry,
    ) -> (Self, mpsc::Receiver<QueuedEvent>) {
        let (queue, events) = mpsc::channel(QUEUED_EVENTS);
        let is_wanted = |kind: &EventKind| endpoints.iter().any(|endpoint| endpoint.wants(*kind));
        let observer = Self {
            wanted: EventKind::ALL.into_iter().filter(is_wanted).collect(),
            node: node.to_owned(),
            run: rand::random(),
            next: AtomicU64::new(1),
            queue,
            telemetry,
        };
        (observer, events)
    }
}

impl Observer for QueueingObserver {
    fn on_event(&self, event: &NodeEvent<'_>) {
        let kind = EventKind::of(event);
        if !self.wanted.contains(&kind) {
            return;
        }
        // A place first: a full queue costs no JSON.
        let Ok(place) = self.queue.try_reserve() else {
            self.telemetry.webhook_events_dropped(WebhookDrop::QueueFull, 1);
            return;
        };
        let (at_ms, number) = (now_ms(), self.next.fetch_add(1, Ordering::Relaxed));
        place.send(QueuedEvent {
            kind,
            event: Arc::new(StreamEvent {
                id: format!("msg_{:016x}{number:x}", self.run),
                key: event::key(event),
                at_ms,
                body: event::body(event, at_ms, &self.node),
            }),
        });
    }
}

/// Milliseconds since 1970, by the node's clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::EndpointConfig;
    use switchboard_protocol::{MAX_ID_BYTES, PeerKey, Secret, SessionId};

    fn endpoint(events: Vec<EventKind>) -> Arc<Endpoint> {
        let config = EndpointConfig {
            name: "app".into(),
            url: "https://app.example/".into(),
            secrets: vec![Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
            secret_files: Vec::new(),
            events,
            tenants: Vec::new(),
        };
        Arc::new(Endpoint::new(config).unwrap())
    }

    #[test]
    fn events_beyond_the_queue_are_dropped_and_counted_and_unwanted_ones_cost_nothing() {
        let telemetry = Telemetry::new("n1");
        let endpoints = [endpoint(vec![EventKind::PeerDetached])];
        let (observer, mut queue) = QueueingObserver::new("n1", &endpoints, telemetry.clone());
        let name = "x".repeat(MAX_ID_BYTES);
        let peer = &PeerKey::parse(&format!("{name}/{name}")).unwrap();
        let session = SessionId::from_bytes([7; SessionId::BYTES]);
        observer.on_event(&NodeEvent::Attached {
            peer,
            session,
            fence: 1,
            resumed: false,
        });
        assert!(queue.try_recv().is_err());
        for _ in 0..QUEUED_EVENTS + 3 {
            observer.on_event(&NodeEvent::Detached {
                peer,
                session,
                fence: 1,
            });
        }
        let (first, second) = (queue.try_recv().unwrap(), queue.try_recv().unwrap());
        assert_ne!(first.event.id, second.event.id);
        assert_eq!(first.tenant(), name);
        assert!(first.event.body.len() + first.event.key.len() + first.event.id.len() < MAX_EVENT_BYTES);
        let dropped = r#"switchboard_webhook_events_dropped_total{reason="queue-full"} 3"#;
        assert!(telemetry.render().unwrap().contains(dropped));
    }
}
