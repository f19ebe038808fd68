//! What tenants have on each node, for quotas over all nodes: what this node says, and what it read (`node_exchange`). Not the
//! quotas (crate `core`).

use parking_lot::Mutex;
use switchboard_core::TenantUsage;

use super::node_reading::{Reading, Received};

/// What this node publishes, and what it last received.
#[derive(Debug, Default)]
pub(crate) struct UsageExchange(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    own: TenantUsage,
    is_published: bool,
    received: Option<Received<TenantUsage>>,
}

impl UsageExchange {
    /// Takes what to publish next, and gives what was received, while it is valid.
    pub(crate) fn exchange(&self, own: TenantUsage) -> Option<TenantUsage> {
        let mut state = self.0.lock();
        state.own = own;
        state.received.as_ref()?.valid().cloned()
    }

    /// The text to publish; `None` if there is nothing, and was nothing before.
    pub(super) fn to_publish(&self) -> Option<String> {
        let mut state = self.0.lock();
        let has_own = !state.own.is_empty();
        let was_published = std::mem::replace(&mut state.is_published, has_own);
        (was_published || has_own).then(|| state.own.text())
    }

    /// The texts of the others were read.
    pub(super) fn on_read(&self, reading: Reading, texts: &[String]) {
        let mut elsewhere = TenantUsage::default();
        for text in texts {
            elsewhere.add(&TenantUsage::parse(text));
        }
        self.0.lock().received = Some(Received::new(elsewhere, reading));
    }
}
