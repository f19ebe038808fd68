//! An app's backend that receives webhooks: an HTTP server that answers as a test wants and keeps what it has taken. Just
//! enough HTTP/1.1 for that: requests with `Content-Length`, on connections that stay open.

use std::{collections::HashSet, io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::wait_until;

/// The largest body read, in bytes.
const MAX_BODY: usize = 64 * 1_024;

/// A request.
#[derive(Debug, Clone)]
pub struct Received {
    /// Names, in lower case, and values.
    headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Received {
    /// The value of a header; empty without it.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(of, _)| of == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A text of the event's data, like `peer`; empty without it.
    #[must_use]
    pub fn data(&self, name: &str) -> String {
        self.json()["data"][name].as_str().unwrap_or_default().to_owned()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// One more header.
    pub header: Option<(&'static str, String)>,
    /// The wait before the answer.
    pub after: Duration,
}

impl Reply {
    /// This status at once.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            header: None,
            after: Duration::ZERO,
        }
    }
}

type Answer = dyn Fn(&Received) -> Reply + Send + Sync;

/// A receiver; it ends when dropped.
pub struct WebhookReceiver {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Received>>>,
    server: JoinHandle<()>,
}

impl WebhookReceiver {
    /// Starts one at a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), answer).await
    }

    /// Starts one at `address`.
    ///
    /// # Errors
    /// When another program has it.
    pub async fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let taken = Arc::new(Mutex::new(Vec::new()));
        // Owner: this receiver, whose drop ends it.
        let server = tokio::spawn(accept(listener, Arc::new(answer), Arc::clone(&taken)));
        Ok(Self {
            address,
            taken,
            server,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request that was answered with success, in the order of arrival.
    #[must_use]
    pub fn taken(&self) -> Vec<Received> {
        self.taken.lock().clone()
    }

    /// The first arrival of each event that was taken.
    #[must_use]
    pub fn events(&self) -> Vec<Received> {
        let mut seen = HashSet::new();
        let mut taken = self.taken();
        taken.retain(|request| seen.insert(request.header("webhook-id").to_owned()));
        taken
    }

    /// Waits until it has taken so many events.
    ///
    /// # Errors
    /// When it has not within `deadline`.
    pub async fn take(&self, count: usize, deadline: Duration) -> anyhow::Result<Vec<Received>> {
        let enough = async || {
            let events = self.events();
            (events.len() >= count).then_some(events)
        };
        let taken = wait_until(&format!("{count} events"), deadline, enough).await;
        let (events, _) =
            taken.with_context(|| format!("{} of {count} events arrived", self.events().len()))?;
        Ok(events)
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, answer: Arc<Answer>, taken: Arc<Mutex<Vec<Received>>>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (answer, taken) = (Arc::clone(&answer), Arc::clone(&taken));
        connections.spawn(async move {
            // A client that goes away ends its connection, and that is all.
            let _ = serve(socket, &*answer, &taken).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(socket: TcpStream, answer: &Answer, taken: &Mutex<Vec<Received>>) -> io::Result<()> {
    let mut socket = BufReader::new(socket);
    while let Some(request) = read(&mut socket).await? {
        let reply = answer(&request);
        sleep(reply.after).await;
        if (200..300).contains(&reply.status) {
            taken.lock().push(request);
        }
        let header = reply.header.map(|(name, value)| format!("{name}: {value}\r\n"));
        let header = header.unwrap_or_default();
        let head = format!("HTTP/1.1 {} -\r\n{header}content-length: 0\r\n\r\n", reply.status);
        socket.write_all(head.as_bytes()).await?;
    }
    Ok(())
}

/// The next request; `None` at the end of the connection.
async fn read(socket: &mut BufReader<TcpStream>) -> io::Result<Option<Received>> {
    let mut headers = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if socket.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_ascii_lowercase(), value.trim_end().to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; MAX_BODY.min(length)];
    socket.read_exact(&mut body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(Received { headers, body }))
}
