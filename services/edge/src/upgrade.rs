//! From an HTTP request to a WebSocket on the bare TCP socket (RFC 6455, section 4.2). Done here rather
//! than by axum's extractor, so that the connection's task is ours to track and its socket carries neither
//! hyper's buffers nor a virtual call per read.

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use switchboard_protocol::SUBPROTOCOL;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{Problem, token, wire::Wire};

/// A WebSocket straight on its TCP socket.
pub(crate) type Socket = WebSocketStream<Wire>;

/// tungstenite's own read buffer, allocated eagerly and zero-filled before each read: small is both lean and
/// quick, and [`Wire`] reads ahead.
const READ_BUFFER_BYTES: usize = 128;

/// Checks the headers of a WebSocket handshake and builds its `101` answer.
pub(crate) fn accept(request: &Parts) -> Result<Response<axum::body::Body>, Problem> {
    if request.method != Method::GET || request.version != Version::HTTP_11 {
        return Err(refuse("a WebSocket handshake is a GET over HTTP/1.1"));
    }
    let headers = &request.headers;
    if !lists(headers, &header::CONNECTION, "upgrade") || !lists(headers, &header::UPGRADE, "websocket") {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade-required",
            "A WebSocket handshake is needed",
            "this address speaks WebSocket; send `Connection: Upgrade` and `Upgrade: websocket`",
        ));
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(refuse("`Sec-WebSocket-Version` must be 13"));
    }
    // 16 random bytes in base64 are 24 characters, the last two of them padding.
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|key| key.len() == 24 && key.as_bytes().ends_with(b"=="))
        .ok_or_else(|| refuse("`Sec-WebSocket-Key` must be 16 bytes in base64"))?;
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
    match token::offers_subprotocol(headers) {
        None => {}
        Some(true) => {
            response = response.header(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(SUBPROTOCOL),
            );
        }
        Some(false) => return Err(refuse("`Sec-WebSocket-Protocol` must list `switchboard.v1`")),
    }
    response
        .body(axum::body::Body::empty())
        .map_err(|_| refuse("the handshake cannot be answered"))
}

fn refuse(detail: &'static str) -> Problem {
    Problem::bad_request("bad-handshake", detail)
}

fn lists(headers: &HeaderMap, name: &header::HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(wanted))
}

/// Takes the TCP socket out of hyper and puts a WebSocket codec on it. `None` if the connection is not a
/// plain one of [`crate::serve`], or its client has hung up: one that gave this node up while it was frozen must
/// not lose its peer to it, which it has elsewhere by now.
pub(crate) async fn socket(upgraded: Upgraded, message_bytes: usize) -> Option<Socket> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // `Wire` gathers; tungstenite hands each frame on at once.
        .write_buffer_size(0)
        .max_write_buffer_size(message_bytes + 1024)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes));
    let tcp = parts.io.into_inner();
    if has_hung_up(&tcp) {
        return None;
    }
    let wire = Wire::new(tcp);
    let already_read = parts.read_buf.to_vec();
    Some(WebSocketStream::from_partially_read(wire, already_read, Role::Server, Some(config)).await)
}

/// Whether the client has closed or reset the connection already, as far as it is known here.
fn has_hung_up(tcp: &TcpStream) -> bool {
    matches!(tcp.peek(&mut [0]).now_or_never(), Some(Ok(0) | Err(_)))
}
