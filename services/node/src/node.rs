//! A node put together: its ports bound, its parts wired, run until it must stop, drained. The one place that
//! knows both the broker and the edge.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{Router as Routes, middleware};
use parking_lot::RwLock;
use switchboard_auth::{IceServers, Verifier};
use switchboard_broker::{MemoryBroker, MemoryBus, RedisBroker};
use switchboard_core::{Broker, Router};
use switchboard_edge::{DrainReport, Edge, RebalancePlan};
use switchboard_telemetry::Telemetry;
use switchboard_webhooks::Webhooks;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    config::{BrokerSettings, DrainSettings, Settings},
    demo,
    drain::DrainControl,
    files::FileLimit,
    health, loopback, memory,
    ops::{self, Ops, OpsAccess},
    port_tls::PortTls,
    readiness::Readiness,
    reload::Reloader,
    status::StatusSource,
    wanted::Wanted,
};

/// A node with its ports bound, ready to run.
pub struct Node {
    router: Arc<Router>,
    broker: Arc<dyn Broker>,
    edge: Arc<Edge>,
    verifier: Verifier,
    reloader: Arc<Reloader>,
    readiness: Arc<Readiness>,
    telemetry: Telemetry,
    public: TcpListener,
    public_routes: Routes,
    api: Option<TcpListener>,
    ops: TcpListener,
    ops_access: Arc<RwLock<OpsAccess>>,
    tls: PortTls,
    drain: DrainSettings,
    rebalance: RebalancePlan,
    webhooks: Option<Arc<Webhooks>>,
}

impl Node {
    /// Binds the ports and wires the parts. Returns before the bus is reachable; see readiness.
    ///
    /// # Errors
    /// When a key cannot be used or a port is taken; the message names it.
    pub async fn bind(mut settings: Settings) -> anyhow::Result<Self> {
        let files = FileLimit::raise();
        files.warn_below(settings.edge.max_connections);
        settings.edge.first_reserved_file = files.first_reserved();
        let telemetry = match settings.otlp() {
            Some(otlp) => Telemetry::traced(settings.node.as_str(), &otlp)?,
            None => Telemetry::new(settings.node.as_str()),
        };
        let verifier = Verifier::new(settings.auth.clone())?;
        let mut reloader = Reloader::new(verifier.clone(), telemetry.clone());
        let tls = PortTls::open(&settings, &telemetry, &mut reloader)?;
        let ice = IceServers::new(settings.ice)?;
        let router = Router::new(settings.node.clone(), settings.limits, telemetry.clone());
        let public = bind(settings.listen, "server.listen")?;
        let api = settings
            .api_listen
            .map(|address| bind(address, "server.api_listen"));
        let api = api.transpose()?;
        let ops = bind(settings.ops_listen, "server.ops_listen")?;
        let events = Arc::<Router>::clone(&router);
        let ops_access = Arc::new(RwLock::new(settings.ops));
        reloader.add_secrets(&settings.secret_files, &ice, &ops_access);
        // Their connections to Redis open with the first use.
        let (broker, call_records, streams): (Arc<dyn Broker>, _, _) = match settings.broker {
            BrokerSettings::Memory => {
                let bus = MemoryBus::default();
                let broker = MemoryBroker::join(&bus, settings.node, events, telemetry.clone());
                let (call_records, streams) = (broker.call_records(), broker.event_streams());
                (broker, call_records, streams)
            }
            BrokerSettings::Redis(config) => {
                let broker = RedisBroker::start(&config, settings.node, events, telemetry.clone())?;
                let (call_records, streams) = (broker.call_records()?, broker.event_streams()?);
                reloader.add_redis(settings.secret_files, Arc::clone(&broker));
                (broker, call_records, streams)
            }
        };
        router.set_broker(Arc::clone(&broker));
        let webhooks = match settings.webhooks {
            None => None,
            Some(config) => {
                let started = Webhooks::start(config, router.node().as_str(), streams, &telemetry);
                let (webhooks, observer) = started.context("webhooks")?;
                router.set_observer(observer);
                reloader.add_webhooks(&webhooks);
                Some(webhooks)
            }
        };
        let known = Arc::clone(&router);
        verifier.set_revocations(Arc::new(move |grant, now_s| {
            known.revocations().status(grant, now_s)
        }));
        let edge = Edge::new(
            Arc::clone(&router),
            verifier.clone(),
            ice,
            telemetry.clone(),
            call_records,
            settings.edge,
        );
        let mut public_routes = switchboard_edge::routes(&edge);
        if settings.demo {
            public_routes = public_routes.merge(demo::routes(&edge, verifier.clone()));
            public_routes = public_routes.layer(middleware::from_fn(loopback::refuse_other_hosts));
        }
        let reloader = Arc::new(reloader);
        let readiness = Arc::new(Readiness::new(Arc::clone(&router), Arc::clone(&reloader)));
        public_routes = public_routes.merge(health::routes(Arc::clone(&readiness)));
        Ok(Self {
            router,
            broker,
            edge,
            verifier,
            reloader,
            readiness,
            telemetry,
            public,
            public_routes,
            api,
            ops,
            ops_access,
            tls,
            drain: settings.drain,
            rebalance: settings.rebalance,
            webhooks,
        })
    }

    /// The address of the public port.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn public_address(&self) -> std::io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// The address of the backend API's own port, if it has one.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref()?.local_addr().ok()
    }

    /// The address of the operations port.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn ops_address(&self) -> std::io::Result<SocketAddr> {
        self.ops.local_addr()
    }

    /// Runs until `stop` ends, then drains. `hangup` asks to read files again.
    ///
    /// # Errors
    /// When the operations port fails.
    pub async fn run(self, stop: impl Future<Output = ()>, hangup: &Notify) -> anyhow::Result<DrainReport> {
        tracing::info!(public = %self.public_address()?, ops = %self.ops_address()?, "listening");
        let (wanted, changes) = watch::channel(Wanted::Serving);
        let status = Arc::new(StatusSource::new(
            Arc::clone(&self.router),
            Arc::clone(&self.readiness),
            self.telemetry.clone(),
            changes.clone(),
        ));
        let ops = Ops {
            status: Arc::clone(&status),
            readiness: Arc::clone(&self.readiness),
            router: Arc::clone(&self.router),
            verifier: self.verifier.clone(),
            telemetry: self.telemetry.clone(),
            wanted: wanted.clone(),
        };
        let ops_routes = ops::routes(ops, self.ops_access, self.webhooks.clone());
        let drain = DrainControl {
            edge: Arc::clone(&self.edge),
            readiness: Arc::clone(&self.readiness),
            telemetry: self.telemetry.clone(),
            settings: self.drain,
            rebalance: self.rebalance,
        };
        let stopping = async {
            stop.await;
            wanted.send_replace(Wanted::Stopped);
            std::future::pending::<Infallible>().await
        };
        // This future runs on the thread of `block_on`, which is no worker: each wake-up of it costs a futex and a change of
        // threads. So the parts that work for each message or connect are tasks. Owner: `parts`, whose drop ends them.
        let mut parts = JoinSet::new();
        let router = Arc::clone(&self.router);
        parts.spawn(async move {
            router.run().await;
            "the router"
        });
        let public = switchboard_edge::serve(
            Arc::clone(&self.edge),
            self.public,
            self.tls.public,
            self.public_routes,
        );
        parts.spawn(async {
            public.await;
            "the public port"
        });
        if let Some(api) = self.api {
            let routes = switchboard_edge::backend_routes(&self.edge);
            let api = switchboard_edge::serve(Arc::clone(&self.edge), api, self.tls.api, routes);
            parts.spawn(async {
                api.await;
                "the port of the backend API"
            });
        }
        tokio::select! {
            // While it serves, not before: a node whose key server is away still takes the keys that it has.
            never = async { self.verifier.prefetch_keys().await; std::future::pending().await } => match never {},
            never = self.reloader.run(hangup) => match never {},
            never = status.run() => match never {},
            never = stopping => match never {},
            () = memory::watch(&self.router, &self.telemetry) => {
                anyhow::bail!("the watch of the memory stopped by itself")
            }
            Some(ended) = parts.join_next() => {
                anyhow::bail!("{} stopped by itself", ended.context("a part of the node failed")?)
            }
            why = self.broker.until_unusable() => {
                parts.shutdown().await;
                // The clients' sessions can be resumed on other nodes.
                tokio::join!(self.broker.shutdown(), shut_down(self.webhooks.as_deref()));
                anyhow::bail!("{why}")
            }
            never = ops::serve(self.ops, self.tls.ops, ops_routes, self.telemetry.clone()) => match never {},
            report = drain.run(changes) => {
                parts.shutdown().await;
                // Each has a bound of its own; a collector that hangs costs the claims no time.
                let webhooks = shut_down(self.webhooks.as_deref());
                tokio::join!(self.broker.shutdown(), webhooks, self.telemetry.shutdown_traces());
                Ok(report)
            }
        }
    }
}

async fn shut_down(webhooks: Option<&Webhooks>) {
    if let Some(webhooks) = webhooks {
        webhooks.shutdown().await;
    }
}

/// Connections that wait in the kernel for the node to take them. A burst beyond the backlog of 128 that is usual costs
/// each further client a second: its kernel repeats the SYN no earlier. The kernel's own `somaxconn` is the upper end.
const BACKLOG: u32 = 4096;

/// A port that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{key}: cannot listen on {address}; if another program uses the port, choose another one")]
pub(crate) struct ListenError {
    /// The key of its address, as `section.key`.
    pub(crate) key: &'static str,
    /// The address.
    pub(crate) address: SocketAddr,
    /// The system's reason.
    pub(crate) source: std::io::Error,
}

fn bind(address: SocketAddr, key: &'static str) -> Result<TcpListener, ListenError> {
    listen(address).map_err(|source| ListenError { key, address, source })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A node that starts again takes its port although old connections of it are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
