//! What the tests of webhooks share: a receiver that answers as a test wants, and nodes with webhooks on one memory bus.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router as Routes,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::Value;
use switchboard_broker::{MemoryBroker, MemoryBus};
use switchboard_core::{Limits, NodeEvent, Observer, Router};
use switchboard_harness::{PATIENCE, wait_until};
use switchboard_protocol::{NodeId, PeerKey, Secret, SessionId};
use switchboard_telemetry::Telemetry;
use switchboard_webhooks::{Endpoint, EndpointConfig, Webhooks, WebhooksConfig};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request that a receiver got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn peer(&self) -> String {
        self.json()["data"]["peer"].as_str().unwrap().to_owned()
    }

    /// The session of the event, which counts the events of a test.
    pub(crate) fn number(&self) -> u8 {
        let session = self.json()["data"]["session"].as_str().unwrap().to_owned();
        (1..=u8::MAX)
            .find(|number| self::session(*number).to_string() == session)
            .unwrap()
    }
}

type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// An app's backend.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Vec<Request>>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// One that answers like this. Requests that were answered with 2xx are taken.
    pub(crate) async fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub(crate) async fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Answer> = Arc::new(answer);
        let state = (answer, Arc::clone(&taken));
        let routes = Routes::new().fallback(post(receive)).with_state(state);
        // Owner: this receiver, whose drop ends it.
        let server = tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        });
        Self {
            address,
            taken,
            server,
        }
    }

    pub(crate) fn taken(&self) -> Vec<Request> {
        self.taken.lock().clone()
    }

    /// Waits until it has taken events with `count` different ids, and returns them in the order of their arrival.
    pub(crate) async fn take(&self, count: usize) -> Vec<Request> {
        let what = format!("{count} events");
        let found = async || {
            let first = first_arrivals(self.taken());
            (first.len() >= count).then_some(first)
        };
        wait_until(&what, PATIENCE, found).await.unwrap().0
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The first arrival of each id.
pub(crate) fn first_arrivals(mut requests: Vec<Request>) -> Vec<Request> {
    let mut seen = std::collections::HashSet::new();
    requests.retain(|request| seen.insert(request.header("webhook-id").to_owned()));
    requests
}

async fn receive(
    State((answer, taken)): State<(Arc<Answer>, Arc<Mutex<Vec<Request>>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let response = answer(&request);
    if response.status().is_success() {
        taken.lock().push(request);
    }
    response
}

pub(crate) fn ok(_: &Request) -> Response {
    ().into_response()
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
        self.observer.on_event(&NodeEvent::Detached { peer, session });
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
pub(crate) fn assert_order(requests: &[Request], peers: &[&str], last: u8) {
    for peer in peers {
        let own = requests.iter().filter(|request| request.peer() == *peer);
        let numbers: Vec<_> = own.map(Request::number).collect();
        assert_eq!(numbers, Vec::from_iter(1..=last), "{peer}");
    }
}
