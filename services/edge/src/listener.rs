//! The accept loop of the public port: HTTP/1.1, over TLS where it is set, with bounds on time and number, upgrades enabled. Not
//! `axum::serve`, because a slow handshake must end and a connection must be a bare [`Stream`].

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router as Routes, response::IntoResponse as _};
use hyper::{server::conn::http1, service::Service as _};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use switchboard_telemetry::{Coalesced, HttpRefusal};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    admission::{network::AddressGroup, visitor},
    files,
    http_connection::{self, HttpConnection},
    limits::places::{HandshakePlace, PlaceOutcome},
    state::Edge,
    stream::{
        self, Stream,
        proxy_header::{self, ProxyHeaderError},
    },
    takeover::{self, Requests},
    tls::{TlsPort, handshake::HANDSHAKE_RECORD},
};

/// hyper reads this much more than `server.request_head_bytes`, so that a head over the limit can be refused in words.
const HEAD_MARGIN_BYTES: usize = 16 * 1024;

/// hyper parses this many headers; fewer are allowed, and more are refused without words.
const PARSED_HEADERS: usize = 256;

/// How long to wait before accepting again when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The log's lines about clients that speak TLS on a plain port.
static TLS_ON_PLAIN_PORT: Coalesced = Coalesced::new();

/// One port that clients connect to.
#[derive(Clone)]
struct HttpPort {
    edge: Arc<Edge>,
    /// Without it the port speaks plain HTTP.
    tls: Option<Arc<TlsPort>>,
    routes: Routes,
}

/// Accepts connections and serves `routes` on them, over TLS where there is one, until the future is dropped.
pub async fn serve(edge: Arc<Edge>, listener: TcpListener, tls: Option<Arc<TlsPort>>, routes: Routes) {
    if let Err(error) = stream::bound_kernel_buffers(&listener) {
        tracing::warn!(%error, "the kernel's buffers of connections cannot be bounded");
    }
    let port = HttpPort { edge, tls, routes };
    let failures = Coalesced::new();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) if files::is_reserved(&tcp, &port.edge) => {
                files::refuse(tcp, &port.edge, port.tls.is_none());
            }
            Ok((tcp, peer)) => port.accepted(tcp, peer),
            Err(error) => {
                failures.note(|count| {
                    tracing::warn!(%error, count, "connections cannot be accepted; is the limit of open files too low?");
                });
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl HttpPort {
    fn accepted(&self, tcp: TcpStream, peer: SocketAddr) {
        let Some(place) = self.place_for(peer.ip(), &tcp) else {
            return;
        };
        let config = &self.edge.config;
        let has_header = config.proxy_protocol && visitor::is_trusted(peer.ip(), &config.trusted_proxies);
        let port = self.clone();
        self.edge.connections.spawn(async move {
            if has_header {
                port.serve_proxied(tcp, peer.ip(), place).await;
            } else {
                port.serve_one(tcp, peer.ip(), &place).await;
            }
        });
    }

    /// The place of a connection of `address`; without one the client gets 503.
    fn place_for(&self, address: IpAddr, tcp: &TcpStream) -> Option<HandshakePlace> {
        let edge = &self.edge;
        let is_proxy = visitor::is_trusted(address, &edge.config.trusted_proxies);
        let holder = (!is_proxy).then(|| AddressGroup::of(address));
        match edge.places.take(holder) {
            PlaceOutcome::Free(place) => Some(place),
            PlaceOutcome::Displacing(place) => {
                edge.telemetry.http_refused(HttpRefusal::Displaced);
                Some(place)
            }
            PlaceOutcome::Full => {
                edge.telemetry.http_refused(HttpRefusal::NoPlace);
                // Words would cost a TLS handshake.
                if self.tls.is_none() {
                    // The socket's buffer is empty; should it take nothing all the same, the close says enough.
                    let _ = SockRef::from(tcp).send(&http_connection::no_place().into_bytes());
                }
                None
            }
        }
    }

    /// Serves a connection on which a balancer says first where it comes from. Until then its place is the balancer's.
    async fn serve_proxied(&self, mut tcp: TcpStream, proxy: IpAddr, proxied: HandshakePlace) {
        let edge = &self.edge;
        let read = timeout(edge.config.handshake_timeout, proxy_header::read(&mut tcp));
        let client = tokio::select! {
            read = read => match read {
                Ok(Ok(client)) => client.unwrap_or(proxy),
                // A health check that only opens a connection.
                Ok(Err(ProxyHeaderError::Empty)) => return,
                Ok(Err(error @ (ProxyHeaderError::Lost(_) | ProxyHeaderError::Malformed(_)))) => {
                    edge.telemetry.http_refused(HttpRefusal::ProxyHeader);
                    return tracing::debug!(%proxy, %error, "a proxy's connection is closed");
                }
                Err(_) => return edge.telemetry.handshake_timeout(),
            },
            () = proxied.displaced() => return,
        };
        // Its own place is taken before that of the balancer is returned.
        if let Some(place) = self.place_for(client, &tcp) {
            drop(proxied);
            self.serve_one(tcp, client, &place).await;
        }
    }

    async fn serve_one(&self, tcp: TcpStream, client: IpAddr, place: &HandshakePlace) {
        let Some(tls) = &self.tls else {
            return self.serve_http(Stream::accept(tcp), client, place).await;
        };
        // Boxed, because it ends long before the connection.
        let handshake = Box::pin(timeout(self.edge.config.handshake_timeout, tls.accept(tcp)));
        let accepted = tokio::select! {
            accepted = handshake => accepted,
            () = place.displaced() => return,
        };
        match accepted {
            Ok(Ok(stream)) => self.serve_http(Stream::secure(stream), client, place).await,
            // It is counted and said there.
            Ok(Err(_)) => {}
            Err(_) => self.edge.telemetry.handshake_timeout(),
        }
    }

    async fn serve_http(&self, stream: Stream, client: IpAddr, place: &HandshakePlace) {
        let edge = &self.edge;
        let is_plain = !stream.is_secure();
        let http = Arc::new(HttpConnection::new(Arc::clone(edge), client, !is_plain));
        let routes = TowerToHyperService::new(self.routes.clone());
        let answering = Arc::clone(&http);
        let requests = Requests::new(move |mut request| {
            let http = Arc::clone(&answering);
            let routed = http.on_request(&mut request).map(|()| routes.call(request));
            Box::pin(async move {
                let answer = match routed {
                    Ok(answer) => answer.await.unwrap_or_else(|never| match never {}),
                    Err(problem) => problem.into_response(),
                };
                http.on_answer(answer)
            })
        });
        let limit = edge.config.handshake_timeout;
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limit)
            .max_headers(PARSED_HEADERS)
            .max_buf_size(edge.config.request_head_bytes + HEAD_MARGIN_BYTES)
            .serve_connection(TokioIo::new(stream), requests);
        let ended = tokio::select! {
            ended = takeover::run(&mut connection) => ended,
            () = place.displaced() => return,
            () = sleep(limit) => {
                if !http.has_token() {
                    // The request under way still gets its answer; then the connection ends.
                    Pin::new(&mut connection).graceful_shutdown();
                }
                tokio::select! {
                    ended = timeout_unless(http.has_token(), limit, takeover::run(&mut connection)) => match ended {
                        Some(ended) => ended,
                        None => return edge.telemetry.handshake_timeout(),
                    },
                    () = place.displaced() => return,
                }
            }
        };
        let left = takeover::finish(connection).await;
        match ended {
            Ok(()) => {}
            Err(error) if error.is_user() => {}
            Err(error) if error.is_timeout() => edge.telemetry.handshake_timeout(),
            Err(error) if error.is_parse_too_large() => {
                edge.telemetry.http_refused(HttpRefusal::HeadTooLarge)
            }
            Err(error) if is_plain && error.is_parse() && left.first() == Some(&HANDSHAKE_RECORD) => {
                edge.telemetry.http_refused(HttpRefusal::TlsOnPlainPort);
                TLS_ON_PLAIN_PORT.note(|count| {
                    tracing::warn!(
                        count,
                        "clients speak TLS on a port that does not; do they use https:// or wss://, or is [server.tls] missing?"
                    );
                });
            }
            Err(error) => tracing::debug!(%error, "an HTTP connection ended early"),
        }
    }
}

/// Waits for `future`, without a bound if `is_unbounded`. `None`: it took longer than `limit`.
async fn timeout_unless<F: Future>(is_unbounded: bool, limit: Duration, future: F) -> Option<F::Output> {
    if is_unbounded {
        Some(future.await)
    } else {
        timeout(limit, future).await.ok()
    }
}
