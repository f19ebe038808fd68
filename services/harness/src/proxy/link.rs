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

use super::connection::{ConnectionInfo, Side};

/// How far into the client's bytes a `SUBSCRIBE` is looked for: a username and a password fit before it.
const MAX_HEAD_BYTES: usize = 512;

/// The command as clients send it.
const SUBSCRIBE: &[u8] = b"$9\r\nSUBSCRIBE\r\n";

/// What chunks are looked for, on all connections together; each once only.
#[derive(Debug, Default)]
pub(super) struct Needles {
    /// Of [`super::FaultProxy::drop_next_matching`].
    pub(super) cuts: Mutex<Option<Vec<u8>>>,
    /// Of [`super::FaultProxy::lose_next_matching`].
    pub(super) loses: Mutex<Option<Vec<u8>>>,
}

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
    needles: Arc<Needles>,
    subscribes: AtomicBool,
    /// The first bytes from the client.
    head: Mutex<Vec<u8>>,
}

impl Link {
    pub(super) fn new(id: u64, orders: Orders, needles: Arc<Needles>) -> Self {
        Self {
            id,
            orders: watch::Sender::new(orders),
            bytes_to_upstream: AtomicU64::new(0),
            bytes_to_client: AtomicU64::new(0),
            corrupt_next: AtomicBool::new(false),
            needles,
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

    /// Looks at a chunk once, when its turn has come; `Break` means that it must not be forwarded and the
    /// connection is over. One that is to be lost is empty afterwards.
    pub(super) fn inspect(&self, towards: Side, chunk: &mut Vec<u8>) -> ControlFlow<()> {
        match towards {
            Side::Client => {
                let middle = chunk.len() / 2;
                if let Some(byte) = chunk.get_mut(middle)
                    && self.corrupt_next.swap(false, Ordering::Relaxed)
                {
                    *byte ^= 1;
                }
                if is_found(&self.needles.loses, chunk) {
                    chunk.clear();
                }
            }
            Side::Upstream => {
                self.look_for_subscribe(chunk);
                if is_found(&self.needles.cuts, chunk) {
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

/// Whether the chunk contains the needle. If so, the search for it ends.
fn is_found(needle: &Mutex<Option<Vec<u8>>>, chunk: &[u8]) -> bool {
    let mut needle = needle.lock();
    let is_found = needle.as_ref().is_some_and(|needle| contains(chunk, needle));
    if is_found {
        *needle = None;
    }
    is_found
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    // An empty window is a panic, and nothing is found in an end of stream.
    !bytes.is_empty() && (needle.is_empty() || bytes.windows(needle.len()).any(|window| window == needle))
}
