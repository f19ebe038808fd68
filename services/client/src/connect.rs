//! The handshake: TCP from a chosen source address, TLS for `wss://`, and the upgrade with the token.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, header};
#[cfg(target_os = "linux")]
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use switchboard_protocol::SUBPROTOCOL;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{Error, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

use crate::{AcksBy, ConnectError, ConnectOptions, Problem, TokenVia};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Bytes collected before a write.
const WRITE_BUFFER_BYTES: usize = 4096;

/// Opens the connection. Also returns how long the TCP connect took.
pub(crate) async fn open(options: &ConnectOptions) -> Result<(Socket, Duration), ConnectError> {
    let start = Instant::now();
    let request = request(options)?;
    let address = match options.address {
        Some(address) => address,
        None => resolve(&request).await?,
    };
    let tcp = dial(address, options.bind_address).await?;
    tcp.set_nodelay(true)?;
    let connected = start.elapsed();
    let config = WebSocketConfig::default()
        .read_buffer_size(options.read_buffer_bytes)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(options.message_bytes))
        .max_frame_size(Some(options.message_bytes));
    let is_tls = request.uri().scheme_str() == Some("wss");
    let connector = if is_tls {
        Connector::Rustls(options.trust.config())
    } else {
        Connector::Plain
    };
    let opened = client_async_tls_with_config(request, tcp, Some(config), Some(connector)).await;
    opened.map(|(socket, _)| (socket, connected)).map_err(refused)
}

fn request(options: &ConnectOptions) -> Result<Request<()>, ConnectError> {
    let token = options.token.expose();
    let mut request = url(options)
        .into_client_request()
        .map_err(|error| ConnectError::Url(error.to_string()))?;
    let value = |text: String| {
        let mut value = HeaderValue::try_from(text).map_err(|_| {
            ConnectError::Url("the token or the origin has characters that no header may have".into())
        })?;
        value.set_sensitive(true);
        Ok::<_, ConnectError>(value)
    };
    let headers = request.headers_mut();
    let protocols = match options.token_via {
        TokenVia::Subprotocol => value(format!("{SUBPROTOCOL}, bearer.{token}"))?,
        TokenVia::Header | TokenVia::Query => HeaderValue::from_static(SUBPROTOCOL),
    };
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
    if options.token_via == TokenVia::Header && !options.token.is_empty() {
        headers.insert(header::AUTHORIZATION, value(format!("Bearer {token}"))?);
    }
    if let Some(origin) = &options.origin {
        headers.insert(header::ORIGIN, value(origin.clone())?);
    }
    Ok(request)
}

/// The URL with its query. The query may hold secrets, so only the request line may show it.
fn url(options: &ConnectOptions) -> String {
    let mut url = options.url.clone();
    let mut pair = |name: &str, value: &str| {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(name);
        url.push('=');
        url.push_str(value);
    };
    match options.acks {
        AcksBy::Socket => {}
        AcksBy::Client => pair("acks", "client"),
    }
    if let Some(resume) = &options.resume {
        pair("resume", resume.token.expose());
        pair("seen", &resume.seen.to_string());
    }
    if let Some(region) = &options.region {
        pair("region", region.as_str());
    }
    if options.token_via == TokenVia::Query {
        pair("access_token", options.token.expose());
    }
    url
}

async fn resolve(request: &Request<()>) -> Result<SocketAddr, ConnectError> {
    let uri = request.uri();
    let host = uri
        .host()
        .ok_or_else(|| ConnectError::Url("it names no host".into()))?;
    let default_port = if uri.scheme_str() == Some("wss") { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(default_port);
    let mut addresses = lookup_host((host.trim_matches(['[', ']']), port)).await?;
    addresses
        .next()
        .ok_or_else(|| ConnectError::Url(format!("{host} has no address")))
}

/// A TCP connection to `address`, from a chosen source address where one is given. One source address has too few ports
/// for very many connections.
///
/// # Errors
/// Those of the system.
pub async fn dial(address: SocketAddr, from: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let Some(from) = from else {
        return TcpStream::connect(address).await;
    };
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // The kernel then chooses the port at connect, so connections to different addresses can share one.
    #[cfg(target_os = "linux")]
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(address).await
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest is passed on as it is"
)]
fn refused(error: Error) -> ConnectError {
    match error {
        Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            let problem = serde_json::from_slice::<Problem>(body).ok();
            let retry_after = response.headers().get(header::RETRY_AFTER);
            let seconds = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
            ConnectError::Refused {
                status: response.status().as_u16(),
                problem,
                retry_after: seconds.map(Duration::from_secs),
            }
        }
        Error::Io(error) => ConnectError::Io(error),
        other => ConnectError::WebSocket(Box::new(other)),
    }
}
