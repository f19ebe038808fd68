//! Sends to rooms of which the bus has not said yet that it has them. Plain state: `send` decides what follows.

use std::{collections::VecDeque, time::Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_protocol::{MessageKind, Mid};

use crate::limits::charge::PendingCharge;

/// Numbered sends to rooms that wait for the bus, over all senders of the node.
const MAX_PENDING: usize = 65_536;

/// Sends to rooms whose publish was not reported. Bounded by [`MAX_PENDING`], and for each peer by its budget.
#[derive(Debug, Default)]
pub(super) struct PendingSends(Mutex<Pending>);

#[derive(Debug, Default)]
struct Pending {
    sends: HashMap<Mid, PendingSend>,
    /// All have the same time, so the oldest is due first. One that has ended stays here until its time.
    deadlines: VecDeque<(Instant, Mid)>,
}

#[derive(Debug)]
pub(super) struct PendingSend {
    pub(super) kind: MessageKind,
    /// Returns its bytes when it ends; none for a sender without an account.
    #[expect(dead_code, reason = "it acts when it is dropped")]
    pub(super) charge: Option<PendingCharge>,
}

impl PendingSends {
    /// `false`: there is no room. `None`: it waits already, because its client repeats it.
    pub(super) fn add(&self, mid: Mid, send: PendingSend, deadline: Instant) -> Option<bool> {
        let mut pending = self.0.lock();
        if pending.sends.contains_key(&mid) {
            return None;
        }
        if pending.sends.len() >= MAX_PENDING {
            return Some(false);
        }
        pending.deadlines.push_back((deadline, mid));
        pending.sends.insert(mid, send);
        Some(true)
    }

    pub(super) fn take(&self, mid: &Mid) -> Option<PendingSend> {
        self.0.lock().sends.remove(mid)
    }

    pub(super) fn take_overdue(&self, now: Instant) -> Vec<(Mid, PendingSend)> {
        let mut pending = self.0.lock();
        let mut overdue = Vec::new();
        while let Some((at, mid)) = pending.deadlines.front().copied()
            && at <= now
        {
            pending.deadlines.pop_front();
            overdue.extend(pending.sends.remove(&mid).map(|send| (mid, send)));
        }
        if pending.deadlines.is_empty() {
            *pending = Pending::default();
        }
        overdue
    }
}
