//! The sender `@backend` of each tenant that uses the API on this node. One sender lasts while its tenant goes on
//! sending: receivers remember each sender session for a while, and have room for a few of one peer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use switchboard_core::{Router, Sender as _};
use switchboard_protocol::{BACKEND_PEER, PeerKey};

use super::sender::BackendSender;

/// Tenants with a sender on one node.
const MAX_TENANTS: usize = 4_096;

/// A sender that is idle for this long is forgotten. Receivers forget it after the same time.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// The table.
#[derive(Default)]
pub(crate) struct Senders(Mutex<HashMap<PeerKey, Entry>>);

struct Entry {
    sender: Arc<BackendSender>,
    used_at: Instant,
}

impl Senders {
    /// The sender of the caller's tenant; `None` if the table is full.
    pub(super) fn of(&self, router: &Router, caller: &PeerKey, now: Instant) -> Option<Arc<BackendSender>> {
        let key = caller.sibling(BACKEND_PEER).ok()?;
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = table.get_mut(&key) {
            entry.used_at = now;
            return Some(Arc::clone(&entry.sender));
        }
        // A new tenant is rare, so looking at all costs nothing per call.
        table.retain(|_, entry| {
            let is_idle = entry.sender.is_idle() && now.saturating_duration_since(entry.used_at) >= IDLE_FOR;
            if is_idle {
                router.remove_sender(entry.sender.id());
            }
            !is_idle
        });
        if table.len() >= MAX_TENANTS {
            return None;
        }
        let sender = BackendSender::new(key.clone(), router.account(&key));
        router.add_sender(Arc::<BackendSender>::clone(&sender));
        let entry = Entry {
            sender: Arc::clone(&sender),
            used_at: now,
        };
        table.insert(key, entry);
        Some(sender)
    }
}
