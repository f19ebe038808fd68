//! A fake node: a real WebSocket server that one test controls. It checks no token and knows no peers.

use std::{future::Future, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Uri, header};
use switchboard_client::ConnectOptions;
use switchboard_protocol::Secret;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::CloseFrame,
    },
};

/// Far longer than any step of a test takes.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// The first frame of a node.
pub(crate) const WELCOME: &str = r#"{"type":"welcome","peer":"alice","tenant":"default","session":"s1","node":"n1",
    "resumed":false,"gap":false,"resume_token":"","resume_window_ms":0,"heartbeat_ms":25000,
    "token_expires_at":99,"limits":{"message_bytes":65536,"pending_messages":64,"messages_per_second":50},
    "ice_servers":[]}"#;

/// A listener on a free port, and options that connect to it.
pub(crate) async fn listen() -> (TcpListener, ConnectOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/v1/ws", listener.local_addr().unwrap());
    (listener, ConnectOptions::new(url, Secret::new("aa.bb.cc")))
}

/// The server's side of one connection.
pub(crate) struct Peer {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) headers: HeaderMap,
    pub(crate) uri: Uri,
}

impl Peer {
    /// Accepts one connection and upgrades it.
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (tcp, _) = listener.accept().await.unwrap();
        let (mut headers, mut uri) = (HeaderMap::new(), Uri::default());
        #[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
        let seen = |request: &Request, mut response: Response| {
            headers = request.headers().clone();
            uri = request.uri().clone();
            let protocol = HeaderValue::from_static("switchboard.v1");
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
            Ok(response)
        };
        let socket = accept_hdr_async(tcp, seen).await.unwrap();
        Self { socket, headers, uri }
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The client's next frame as JSON.
    pub(crate) async fn json(&mut self) -> serde_json::Value {
        let message = self.socket.next().await.unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// Sends `welcome` as the node `node`, with this resume token.
    pub(crate) async fn welcome(&mut self, node: &str, resumed: bool, resume_token: &str) {
        let mut welcome: serde_json::Value = serde_json::from_str(WELCOME).unwrap();
        welcome["node"] = node.into();
        welcome["resumed"] = resumed.into();
        welcome["resume_token"] = resume_token.into();
        self.text(&welcome.to_string()).await;
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &'static str) {
        let (code, reason) = (code.into(), reason.into());
        let frame = Message::Close(Some(CloseFrame { code, reason }));
        self.socket.send(frame).await.unwrap();
    }

    /// Reads until the client ends the connection. Returns the close code that it sent.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(Ok(message)) = self.socket.next().await {
            if let Message::Close(frame) = message {
                code = Some(frame.map_or(1005, |frame| frame.code.into()));
            }
        }
        code
    }
}

/// A message of another peer.
pub(crate) fn message(seq: u64, mid: &str) -> String {
    format!(r#"{{"type":"message","from":"bob","mid":"{mid}","seq":{seq},"payload":{seq}}}"#)
}

/// The receipt of a delivered send.
pub(crate) fn delivered(id: u64) -> String {
    format!(r#"{{"type":"receipt","id":{id},"status":"delivered"}}"#)
}

/// Answers one connection with this HTTP status and problem document.
pub(crate) async fn refuse(listener: &TcpListener, status: &str, problem: &str) {
    let (mut tcp, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 4096];
    let _ = tcp.read(&mut request).await.unwrap();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\n");
    let answer = format!("{head}Content-Length: {}\r\n\r\n{problem}", problem.len());
    tcp.write_all(answer.as_bytes()).await.unwrap();
}

/// Runs `node` for the one connection of a test, after `welcome`.
pub(crate) async fn node<F, T>(
    node: impl FnOnce(Peer) -> F + Send + 'static,
) -> (ConnectOptions, JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let (listener, options) = listen().await;
    let task = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.text(WELCOME).await;
        node(peer).await
    });
    (options, task)
}

/// The result of the server's side, in bounded time.
pub(crate) async fn finished<T>(task: JoinHandle<T>) -> T {
    timeout(SOON, task)
        .await
        .expect("the server's side ends")
        .unwrap()
}
