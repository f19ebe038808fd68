//! The node's memory budget: above a first mark the node takes no new connections, above a second one it gives up
//! what its clients hold, the most first. Not how memory is measured: the node reads that from the system.

use std::{
    cmp::Reverse,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use switchboard_telemetry::MemoryShed;

use crate::{
    context::Context,
    send::{outcome, sender::Sender as _},
    session::{handle::Session, lifecycle::Lifecycle},
};

/// Above this share of the budget new connections are refused …
const REFUSE_PERCENT: u64 = 80;

/// … until memory is below this share again.
const RELAX_PERCENT: u64 = 75;

/// Above this share of the budget sends end and connections close, until those held the excess over
/// [`RELAX_PERCENT`].
const SHED_PERCENT: u64 = 90;

/// Who holds less than this is left alone: it is not the cause.
pub(crate) const SHED_FROM_BYTES: usize = 64 * 1024;

/// The allocator returns freed memory to the system within this time; only then is more given up.
const SETTLE: Duration = Duration::from_secs(10);

/// The memory of one node against its budget.
pub(crate) struct Memory {
    cx: Arc<Context>,
    is_short: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    short_since: Option<Instant>,
    shed_at: Option<Instant>,
    ended: usize,
    closed: usize,
}

impl Memory {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        Self {
            cx,
            is_short: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Whether new connections are to be refused.
    #[must_use]
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Compares the resident memory with the budget, and acts. Called about once a second.
    pub(crate) fn observe(&self, resident_bytes: u64, lifecycle: &Lifecycle) {
        let budget = self.cx.limits.memory_bytes;
        if budget == 0 {
            return;
        }
        let now = self.cx.now();
        let mut state = self.state.lock();
        let is_over = |percent| resident_bytes / 100 >= budget / 10_000 * percent;
        if state.short_since.is_none() && is_over(REFUSE_PERCENT) {
            state.short_since = Some(now);
            tracing::warn!(
                resident_bytes,
                budget_bytes = budget,
                "memory is nearly used up: new connections are refused"
            );
        }
        let Some(since) = state.short_since else { return };
        if !is_over(RELAX_PERCENT) {
            tracing::warn!(
                resident_bytes,
                seconds = now.saturating_duration_since(since).as_secs(),
                ended_sends = state.ended,
                closed_connections = state.closed,
                "memory is sufficient again: new connections are taken"
            );
            *state = State::default();
        } else if is_over(SHED_PERCENT) {
            let is_settled = |at| now.saturating_duration_since(at) >= SETTLE;
            if state.shed_at.is_none_or(is_settled) {
                state.shed_at = Some(now);
                let excess = resident_bytes.saturating_sub(budget / 100 * RELAX_PERCENT);
                self.shed(
                    usize::try_from(excess).unwrap_or(usize::MAX),
                    &mut state,
                    lifecycle,
                );
            }
        }
        self.is_short
            .store(state.short_since.is_some(), Ordering::Relaxed);
        let level = i64::from(state.short_since.is_some()) + i64::from(state.shed_at.is_some());
        self.cx.telemetry.memory_pressure(level);
    }

    /// First ends the sends of those whose sends hold most, then closes the connections with the largest send
    /// queues, until they held `excess` bytes.
    fn shed(&self, mut excess: usize, state: &mut State, lifecycle: &Lifecycle) {
        let cx = &*self.cx;
        let known = cx.registry.known();
        for (bytes, session) in largest(&known, |session| session.outbox().bytes()) {
            if excess == 0 {
                return;
            }
            let ended = outcome::end_all(cx, session);
            state.ended += ended;
            cx.telemetry.memory_shed(MemoryShed::Send, ended);
            excess = excess.saturating_sub(bytes);
        }
        for (bytes, session) in largest(&known, |session| session.send_queue_bytes()) {
            if excess == 0 {
                return;
            }
            lifecycle.shed(session);
            state.closed += 1;
            cx.telemetry.memory_shed(MemoryShed::Connection, 1);
            excess = excess.saturating_sub(bytes);
        }
    }
}

/// Those that hold at least [`SHED_FROM_BYTES`], the largest first.
fn largest(sessions: &[Arc<Session>], held: impl Fn(&Session) -> usize) -> Vec<(usize, &Session)> {
    let mut largest: Vec<_> = sessions
        .iter()
        .map(|session| (held(session), &**session))
        .filter(|(bytes, _)| *bytes >= SHED_FROM_BYTES)
        .collect();
    largest.sort_unstable_by_key(|(bytes, _)| Reverse(*bytes));
    largest
}
