//! One proxied connection as the test sees it: the orders it is under, what it has carried, and the faults
//! that hit a single chunk. Not the carrying itself (`pump`).

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{ConnectionInfo, Side};

/// How far into the client's bytes a `SUBSCRIBE` is looked for: a username and a password fit before it.
const MAX_HEAD_BYTES: usize = 512;

/// The word as clients send it.
const SUBSCRIBE: &[u8] = b"$9\r\nSUBSCRIBE\r\n";

/// What [`super::FaultProxy::drop_next_matching`] waits for, on all connections together.
pub(super) type Needle = Arc<Mutex<Option<Vec<u8>>>>;

/// How a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// Bytes flow, unless frozen.
    #[default]
    Open,
    /// One side is closed, and the other does not know.
    HalfOpen {
        /// The closed one.
        closed: Side,
    },
    /// Both sides are to be reset.
    Cut,
}

/// What a connection's two pumps have to follow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    pub(super) fate: Fate,
    /// Added each way.
    pub(super) delay: Duration,
    pub(super) client_frozen: bool,
    upstream_frozen: bool,
}

impl Orders {
    pub(super) fn freeze(&mut self, freeze: bool) {
        self.client_frozen = freeze;
        self.upstream_frozen = freeze;
    }

    /// Whether no byte may go `towards` this side.
    pub(super) fn is_frozen(&self, towards: Side) -> bool {
        match towards {
            Side::Client => self.client_frozen,
            Side::Upstream => self.upstream_frozen,
        }
    }
}

/// One connection; lives as long as one of its pumps.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: u64,
    orders: watch::Sender<Orders>,
    bytes_to_upstream: AtomicU64,
    bytes_to_client: AtomicU64,
    corrupt_next: AtomicBool,
    needle: Needle,
    subscribes: AtomicBool,
    /// The first bytes from the client.
    head: Mutex<Vec<u8>>,
}

impl Link {
    pub(super) fn new(id: u64, orders: Orders, needle: Needle) -> Self {
        Self {
            id,
            orders: watch::Sender::new(orders),
            bytes_to_upstream: AtomicU64::new(0),
            bytes_to_client: AtomicU64::new(0),
            corrupt_next: AtomicBool::new(false),
            needle,
            subscribes: AtomicBool::new(false),
            head: Mutex::default(),
        }
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            id: self.id,
            bytes_to_upstream: self.bytes_to_upstream.load(Ordering::Relaxed),
            bytes_to_client: self.bytes_to_client.load(Ordering::Relaxed),
            subscribes: self.subscribes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn orders(&self) -> watch::Receiver<Orders> {
        self.orders.subscribe()
    }

    pub(super) fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
    }

    pub(super) fn cut(&self) {
        self.order(|orders| orders.fate = Fate::Cut);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.orders.borrow().fate == Fate::Cut
    }

    pub(super) fn corrupt_next(&self) {
        self.corrupt_next.store(true, Ordering::Relaxed);
    }

    pub(super) fn count(&self, towards: Side, bytes: usize) {
        let counter = match towards {
            Side::Client => &self.bytes_to_client,
            Side::Upstream => &self.bytes_to_upstream,
        };
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Looks at a chunk once, when its turn has come; `Break` means that it must not be forwarded.
    pub(super) fn inspect(&self, towards: Side, chunk: &mut [u8]) -> ControlFlow<()> {
        match towards {
            Side::Client => {
                let middle = chunk.len() / 2;
                if let Some(byte) = chunk.get_mut(middle)
                    && self.corrupt_next.swap(false, Ordering::Relaxed)
                {
                    *byte ^= 1;
                }
            }
            Side::Upstream => {
                self.look_for_subscribe(chunk);
                let mut needle = self.needle.lock();
                if needle.as_ref().is_some_and(|needle| contains(chunk, needle)) {
                    *needle = None;
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn look_for_subscribe(&self, chunk: &[u8]) {
        let mut head = self.head.lock();
        let room = MAX_HEAD_BYTES - head.len();
        if room > 0 {
            head.extend(chunk.iter().take(room).map(u8::to_ascii_uppercase));
            if contains(&head, SUBSCRIBE) {
                self.subscribes.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    // An empty window is a panic, and nothing is found in an end of stream.
    !bytes.is_empty() && (needle.is_empty() || bytes.windows(needle.len()).any(|window| window == needle))
}
