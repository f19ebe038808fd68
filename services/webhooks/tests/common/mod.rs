//! What the tests of webhooks share: nodes with webhooks on one memory bus, and their events.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use switchboard_broker::{MemoryBroker, MemoryBus};
use switchboard_core::{Limits, NodeEvent, Observer, Router};
use switchboard_harness::{PATIENCE, Received, Reply, wait_until};
use switchboard_protocol::{NodeId, PeerKey, Secret, SessionId};
use switchboard_telemetry::Telemetry;
use switchboard_webhooks::{Endpoint, EndpointConfig, Webhooks, WebhooksConfig};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The session of an event, which counts the events of a test.
pub(crate) fn number(event: &Received) -> u8 {
    let own = event.data("session");
    (1..=u8::MAX)
        .find(|number| session(*number).to_string() == own)
        .unwrap()
}

pub(crate) fn ok(_: &Received) -> Reply {
    Reply::status(200)
}

/// An endpoint that gets everything.
pub(crate) fn endpoint(name: &str, address: SocketAddr) -> EndpointConfig {
    EndpointConfig {
        name: name.into(),
        url: format!("http://{address}/hooks"),
        secrets: vec![Secret::new(SECRET)],
        secret_files: Vec::new(),
        events: Vec::new(),
        tenants: Vec::new(),
    }
}

/// Quick repetitions for these endpoints.
pub(crate) fn config(endpoints: impl IntoIterator<Item = EndpointConfig>) -> WebhooksConfig {
    let endpoints = endpoints
        .into_iter()
        .map(|endpoint| Endpoint::new(endpoint).unwrap());
    WebhooksConfig {
        endpoints: endpoints.collect(),
        ca_file: None,
        timeout: Duration::from_secs(5),
        first_retry: Duration::from_millis(20),
        longest_retry: Duration::from_millis(200),
        retry_for: Duration::from_secs(600),
        refusals: 3,
        requests: 16,
        events: 10_000,
        dead_events: 100,
    }
}

/// A node as far as webhooks are concerned.
pub(crate) struct Node {
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) telemetry: Telemetry,
}

impl Node {
    pub(crate) fn start(bus: &MemoryBus, name: &str, config: WebhooksConfig) -> Self {
        let telemetry = Telemetry::new(name);
        let node = NodeId::new(name).unwrap();
        let router = Router::new(node.clone(), Limits::default(), telemetry.clone());
        let broker = MemoryBroker::join(bus, node, router, telemetry.clone());
        let (webhooks, observer) = Webhooks::start(config, name, broker.event_streams(), &telemetry).unwrap();
        Self {
            webhooks,
            observer,
            telemetry,
        }
    }

    /// The session `number` of a peer is detached.
    pub(crate) fn detached(&self, peer: &str, number: u8) {
        let peer = &key(peer);
        let session = session(number);
        self.observer.on_event(&NodeEvent::Detached {
            peer,
            session,
            fence: 1,
        });
    }

    pub(crate) fn wanted(&self, peer: &str) {
        let (peer, by) = (&key(peer), &key("caller"));
        self.observer.on_event(&NodeEvent::Wanted { peer, by });
    }

    /// Waits until a counter has at least this value.
    pub(crate) async fn until_metric(&self, series: &str, least: u64) {
        let found = async || {
            let text = self.telemetry.render().unwrap();
            let value = text.lines().find_map(|line| line.strip_prefix(series)).unwrap();
            (value.trim().parse::<u64>().unwrap() >= least).then_some(())
        };
        wait_until(series, PATIENCE, found).await.unwrap();
    }
}

pub(crate) fn key(peer: &str) -> PeerKey {
    PeerKey::parse(&format!("acme/{peer}")).unwrap()
}

pub(crate) fn session(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::BYTES])
}

/// Fails unless the events of each peer are in their order, without a gap, from 1 to `last`.
pub(crate) fn assert_order(events: &[Received], peers: &[&str], last: u8) {
    for peer in peers {
        let own = events.iter().filter(|event| event.data("peer") == *peer);
        let numbers: Vec<_> = own.map(number).collect();
        assert_eq!(numbers, Vec::from_iter(1..=last), "{peer}");
    }
}
