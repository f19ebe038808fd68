//! The accept loop of the public port: HTTP/1.1 with bounds on time and number, upgrades enabled. Not
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
};

/// hyper reads this much more than `server.request_head_bytes`, so that a head over the limit can be refused in words.
const HEAD_MARGIN_BYTES: usize = 16 * 1024;

/// hyper parses this many headers; fewer are allowed, and more are refused without words.
const PARSED_HEADERS: usize = 256;

/// How long to wait before accepting again when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and serves `routes` on them until the future is dropped.
pub async fn serve(edge: Arc<Edge>, listener: TcpListener, routes: Routes) {
    if let Err(error) = stream::bound_kernel_buffers(&listener) {
        tracing::warn!(%error, "the kernel's buffers of connections cannot be bounded");
    }
    let failures = Coalesced::new();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) if files::is_reserved(&tcp, &edge) => files::refuse(tcp, &edge),
            Ok((tcp, peer)) => accepted(&edge, tcp, peer, &routes),
            Err(error) => {
                failures.note(|count| {
                    tracing::warn!(%error, count, "connections cannot be accepted; is the limit of open files too low?");
                });
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn accepted(edge: &Arc<Edge>, tcp: TcpStream, peer: SocketAddr, routes: &Routes) {
    let Some(place) = place_for(edge, peer.ip(), &tcp) else {
        return;
    };
    let has_header =
        edge.config.proxy_protocol && visitor::is_trusted(peer.ip(), &edge.config.trusted_proxies);
    let (serving, routes) = (Arc::clone(edge), routes.clone());
    edge.connections.spawn(async move {
        if has_header {
            serve_proxied(&serving, tcp, peer.ip(), routes, place).await;
        } else {
            serve_one(&serving, Stream::accept(tcp), peer.ip(), routes, &place).await;
        }
    });
}

/// The place of a connection of `address`; without one the client gets 503.
fn place_for(edge: &Edge, address: IpAddr, tcp: &TcpStream) -> Option<HandshakePlace> {
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
            // The socket's buffer is empty; should it take nothing all the same, the close says enough.
            let _ = SockRef::from(tcp).send(&http_connection::no_place().into_bytes());
            None
        }
    }
}

/// Serves a connection on which a balancer says first where it comes from. Until then its place is the balancer's.
async fn serve_proxied(
    edge: &Arc<Edge>,
    mut tcp: TcpStream,
    proxy: IpAddr,
    routes: Routes,
    proxied: HandshakePlace,
) {
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
    if let Some(place) = place_for(edge, client, &tcp) {
        drop(proxied);
        serve_one(edge, Stream::accept(tcp), client, routes, &place).await;
    }
}

async fn serve_one(edge: &Arc<Edge>, stream: Stream, client: IpAddr, routes: Routes, place: &HandshakePlace) {
    let http = Arc::new(HttpConnection::new(Arc::clone(edge), client));
    let routes = TowerToHyperService::new(routes);
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
    takeover::finish(connection).await;
    match ended {
        Ok(()) => {}
        Err(error) if error.is_user() => {}
        Err(error) if error.is_timeout() => edge.telemetry.handshake_timeout(),
        Err(error) if error.is_parse_too_large() => edge.telemetry.http_refused(HttpRefusal::HeadTooLarge),
        Err(error) => tracing::debug!(%error, "an HTTP connection ended early"),
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
