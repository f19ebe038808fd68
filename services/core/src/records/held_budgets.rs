//! What each tenant holds for receivers without a session. What was charged counts until the hold ends, also if the
//! message was delivered before.

use std::{collections::BTreeMap, time::Instant};

use hashbrown::HashMap;

use crate::{broker::stored_message::Hold, limits::STORED_OVERHEAD_BYTES};

#[derive(Debug, Default)]
pub(crate) struct HeldBudgets(HashMap<String, Held>);

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    /// By the end of their hold.
    ends: BTreeMap<Instant, usize>,
}

impl HeldBudgets {
    /// Charges `tenant` for an envelope of `bytes`; false if it holds as much as it may.
    pub(crate) fn charge(&mut self, tenant: &str, bytes: usize, hold: Hold, now: Instant) -> bool {
        let held = self.0.entry_ref(tenant).or_default();
        while let Some(first) = held.ends.first_entry().filter(|first| *first.key() <= now) {
            held.bytes -= first.remove();
        }
        let bytes = bytes + STORED_OVERHEAD_BYTES;
        let fits = hold.tenant_bytes == 0 || held.bytes + bytes <= hold.tenant_bytes;
        if fits {
            held.bytes += bytes;
            *held.ends.entry(now + hold.time).or_default() += bytes;
        }
        fits
    }
}
