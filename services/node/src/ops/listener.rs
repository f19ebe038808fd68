//! The accept loop of the operations port: few connections, each for one request and a short time. Where all places are
//! taken, the oldest silent connection is cut off, so a flood of connections does not keep probes waiting. Not the routes.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router as Routes;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use switchboard_edge::TlsPort;
use switchboard_telemetry::Telemetry;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

/// The most connections at the same time.
const MAX_CONNECTIONS: usize = 64;

/// How long one connection may take, from its accept to the last byte of the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(10);

/// hyper's buffer for the head of a request, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// How long to wait before accepting again when the process has no file left, and no connection here has one either.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and serves `routes` on them, over TLS where there is one, until the future is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<TlsPort>>,
    routes: Routes,
    telemetry: Telemetry,
) -> Infallible {
    let mut places = Places::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    while places.tasks.len() >= MAX_CONNECTIONS {
                        places.cut_oldest(&telemetry).await;
                    }
                    places.add(tcp, tls.clone(), routes.clone());
                }
                Err(error) if places.tasks.is_empty() => {
                    tracing::warn!(%error, "the operations port cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
                Err(_) => places.cut_oldest(&telemetry).await,
            },
            Some(_) = places.tasks.join_next() => places.forget_finished(),
        }
    }
}

/// The open connections, oldest first.
#[derive(Default)]
struct Places {
    tasks: JoinSet<()>,
    open: VecDeque<Place>,
}

struct Place {
    task: AbortHandle,
    /// Whether its request has arrived.
    has_asked: Arc<AtomicBool>,
}

impl Places {
    fn add(&mut self, tcp: TcpStream, tls: Option<Arc<TlsPort>>, routes: Routes) {
        let has_asked = Arc::new(AtomicBool::new(false));
        let serving = serve_one(tcp, tls, routes, Arc::clone(&has_asked));
        let task = self.tasks.spawn(async {
            // Whatever a slow client does, the time of its connection bounds it.
            if timeout(CONNECTION_TIME, serving).await.is_err() {
                tracing::debug!("a connection to the operations port took too long");
            }
        });
        self.open.push_back(Place { task, has_asked });
    }

    /// Ends the oldest connection without a request, or else the oldest one.
    async fn cut_oldest(&mut self, telemetry: &Telemetry) {
        let silent = self
            .open
            .iter()
            .position(|place| !place.has_asked.load(Ordering::Relaxed));
        if let Some(place) = self.open.remove(silent.unwrap_or_default()) {
            place.task.abort();
            telemetry.ops_connection_cut();
        }
        self.tasks.join_next().await;
        self.forget_finished();
    }

    fn forget_finished(&mut self) {
        self.open.retain(|place| !place.task.is_finished());
    }
}

async fn serve_one(tcp: TcpStream, tls: Option<Arc<TlsPort>>, routes: Routes, has_asked: Arc<AtomicBool>) {
    match tls {
        None => serve_http(tcp, routes, has_asked).await,
        Some(tls) => {
            // A failure is counted and said there.
            if let Ok(stream) = tls.accept(tcp).await {
                serve_http(stream, routes, has_asked).await;
            }
        }
    }
}

async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: Routes,
    has_asked: Arc<AtomicBool>,
) {
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        hyper::service::Service::call(&routes, request)
    });
    // One request each.
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the operations port ended early");
    }
}
