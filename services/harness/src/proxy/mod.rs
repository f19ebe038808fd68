//! A TCP proxy that does to connections what networks do, on command: it delays, freezes, cuts, corrupts and leaves them
//! half open. It does not know what it carries, except that it finds Redis subscribers. Without a command it loses and
//! reorders no bytes.

mod connection;
mod link;
mod pump;

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::Port;
pub use connection::{ConnectionInfo, Side};
use link::{Fate, Link, Needles, Orders};

/// Connections open at once; further ones wait in the listen backlog until one of these has ended.
const MAX_CONNECTIONS: usize = 1024;

/// How long the upstream may take to accept; then the client is reset.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The proxy. Dropping it closes its port and every connection.
///
/// An order holds for every byte sent after the call that gave it; bytes already under way may still pass.
/// Orders about one connection say whether there was one with this id.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 in front of `upstream`. If the upstream cannot be reached within
    /// 5 s, the client is reset.
    ///
    /// # Errors
    /// When the system has no port.
    pub async fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        Self::listen(0, upstream).await
    }

    /// As [`Self::start`], on a port that was reserved before.
    ///
    /// # Errors
    /// When another server listens on it.
    pub async fn start_on(port: &Port, upstream: SocketAddr) -> anyhow::Result<Self> {
        Self::listen(port.number(), upstream).await
    }

    async fn listen(port: u16, upstream: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        shared.state.lock().upstream = Some(upstream);
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            acceptor,
        })
    }

    /// New connections go to `upstream`; open ones stay where they are, as after a change of a DNS name.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.shared.state.lock().upstream = Some(upstream);
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The open connections, in the order of opening. Without those that were cut.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let state = self.shared.state.lock();
        let links = state.links.iter().filter_map(Weak::upgrade);
        links
            .filter(|link| !link.is_cut())
            .map(|link| link.info())
            .collect()
    }

    /// Adds latency each way, on open and on new connections, with the order kept; zero ends it, and what
    /// was still held goes out at once.
    pub fn delay(&self, each_way: Duration) {
        self.shared.order_all(|orders| orders.delay = each_way);
    }

    /// Whether new connections are reset at once. For an outage, refuse first and then [`Self::cut_all`].
    pub fn refuse(&self, refuse: bool) {
        self.shared.state.lock().refuse = refuse;
    }

    /// Resets every open connection towards both sides.
    pub fn cut_all(&self) {
        self.shared.state.lock().each(Link::cut);
    }

    /// Resets one connection towards both sides.
    pub fn cut(&self, id: u64) -> bool {
        self.shared.state.lock().one(id, Link::cut)
    }

    /// Closes the side `closed`; the other one stays open and hears nothing, and what it sends is lost.
    pub fn half_open(&self, id: u64, closed: Side) -> bool {
        self.order(id, |orders| {
            if orders.fate != Fate::Cut {
                orders.fate = Fate::HalfOpen { closed };
            }
        })
    }

    /// Stops one connection's bytes in both directions. Nothing is closed or lost: senders meet
    /// back-pressure.
    pub fn freeze(&self, id: u64) -> bool {
        self.order(id, |orders| orders.freeze(true))
    }

    /// As [`Self::freeze`], for every connection, those that are opened until [`Self::thaw_all`] included.
    pub fn freeze_all(&self) {
        self.shared.order_all(|orders| orders.freeze(true));
    }

    /// Stops the bytes towards the client only: the subscriber receives nothing, but its commands still arrive.
    pub fn freeze_towards_client(&self, id: u64) -> bool {
        self.order(id, |orders| orders.client_frozen = true)
    }

    /// Ends every freeze, however it began; what was held back is delivered in order.
    pub fn thaw_all(&self) {
        self.shared.order_all(|orders| orders.freeze(false));
    }

    /// Flips the lowest bit of the middle byte of the next chunk towards the client.
    pub fn corrupt_next(&self, id: u64) -> bool {
        self.shared.state.lock().one(id, Link::corrupt_next)
    }

    /// Cuts the connection that would next forward a chunk containing `needle` to the
    /// upstream; the upstream never sees that chunk. Once only; a second call replaces the first. Something
    /// longer than a chunk (16 KiB), or written in pieces, may be split and pass.
    pub fn drop_next_matching(&self, needle: &[u8]) {
        *self.shared.needles.cuts.lock() = Some(needle.to_vec());
    }

    /// Loses the next chunk towards any client that contains `needle`, in silence: the connection goes on. Once
    /// only; a second call replaces the first. Chunks are bytes, not messages: where messages are sparse, a
    /// chunk is one of them.
    pub fn lose_next_matching(&self, needle: &[u8]) {
        *self.shared.needles.loses.lock() = Some(needle.to_vec());
    }

    /// Whether the chunk of [`Self::lose_next_matching`] has not come yet.
    pub fn is_waiting_to_lose(&self) -> bool {
        self.shared.needles.loses.lock().is_some()
    }

    fn order(&self, id: u64, change: impl FnOnce(&mut Orders)) -> bool {
        self.shared.state.lock().one(id, |link| link.order(change))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// What the proxy and its acceptor both see.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    needles: Arc<Needles>,
}

#[derive(Debug, Default)]
struct State {
    /// Where new connections go.
    upstream: Option<SocketAddr>,
    refuse: bool,
    /// What a new connection starts with.
    at_first: Orders,
    next_id: u64,
    /// In the order of opening. The pumps own them: those of connections that ended lead nowhere, and are
    /// swept when the next one is opened.
    links: Vec<Weak<Link>>,
}

impl State {
    fn each(&self, act: impl Fn(&Link)) {
        self.links
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|link| act(&link));
    }

    fn one(&self, id: u64, act: impl FnOnce(&Link)) -> bool {
        let link = self
            .links
            .iter()
            .filter_map(Weak::upgrade)
            .find(|link| link.id == id);
        link.map(|link| act(&link)).is_some()
    }
}

impl Shared {
    fn order_all(&self, change: impl Fn(&mut Orders)) {
        let mut state = self.state.lock();
        change(&mut state.at_first);
        state.each(|link| link.order(&change));
    }

    /// Enters a new connection, unless it is to be refused.
    fn enter(&self) -> Option<Arc<Link>> {
        let mut state = self.state.lock();
        if state.refuse {
            return None;
        }
        let link = Arc::new(Link::new(
            state.next_id,
            state.at_first,
            Arc::clone(&self.needles),
        ));
        state.next_id += 1;
        state.links.retain(|link| link.strong_count() > 0);
        state.links.push(Arc::downgrade(&link));
        Some(link)
    }
}

/// Owns the pumps: they end with this task.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut pumps = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if pumps.len() < 2 * MAX_CONNECTIONS => match accepted {
                Ok((client, _)) => open(client, &shared, &mut pumps).await,
                Err(error) => {
                    eprintln!("the fault proxy ends, as it cannot accept: {error}");
                    return;
                }
            },
            Some(_) = pumps.join_next() => {}
        }
    }
}

async fn open(client: TcpStream, shared: &Shared, pumps: &mut JoinSet<()>) {
    let upstream = {
        let state = shared.state.lock();
        state.upstream.filter(|_| !state.refuse)
    };
    let server = match upstream {
        None => None,
        Some(upstream) => {
            let connected = timeout(CONNECT_PATIENCE, TcpStream::connect(upstream)).await;
            connected.ok().and_then(Result::ok)
        }
    };
    // `enter` checks again: after a refusal and a cut in the meantime, this connection must not be opened.
    match server.and_then(|server| Some((shared.enter()?, server))) {
        Some((link, server)) => pump::start(&link, client, server, pumps),
        // Closed like this, it is reset.
        None => drop(client.set_zero_linger()),
    }
}
