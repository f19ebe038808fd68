//! A TCP proxy in front of Redis that can make the pub/sub connections of this moment deaf: what Redis says
//! on them is swallowed, without closing anything.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// The proxy; it ends when dropped.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    opened: AtomicU64,
    deaf_up_to: AtomicU64,
}

impl Proxy {
    /// A proxy in front of the server at `port`.
    pub(crate) async fn start(port: u16) -> Self {
        Self::start_at(0, port).await
    }

    /// The same, listening on a port of the caller's choice.
    pub(crate) async fn start_at(own: u16, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", own)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let task = tokio::spawn(accept(listener, port, Arc::clone(&state)));
        Self {
            port: own,
            state,
            task,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection and listens no more.
    pub(crate) async fn cut(mut self) {
        self.task.abort();
        // It was aborted; waiting makes sure that its sockets are closed.
        let _ = (&mut self.task).await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on the subscribers connected at this moment hear nothing.
    pub(crate) fn deafen(&self) {
        let opened = self.state.opened.load(Ordering::SeqCst);
        self.state.deaf_up_to.store(opened, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, state: Arc<State>) {
    let mut relays = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = state.opened.fetch_add(1, Ordering::SeqCst) + 1;
        relays.spawn(relay(client, port, number, Arc::clone(&state)));
    }
}

async fn relay(client: TcpStream, port: u16, number: u64, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let subscribes = AtomicBool::new(false);
    let out = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            if buffer[..read].windows(9).any(|word| word == b"SUBSCRIBE") {
                subscribes.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let is_deaf = number <= state.deaf_up_to.load(Ordering::SeqCst);
            if is_deaf && subscribes.load(Ordering::SeqCst) {
                continue;
            }
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = out => {}, () = back => {} }
}
