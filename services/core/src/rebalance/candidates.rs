//! Which clients a node asks to move to another one; each is asked only once in a while. Not when or how many
//! (`policy`), and not the drain of a node that stops (the edge's).

use std::{sync::Arc, time::Duration};

use switchboard_protocol::{CloseCode, Event, GoawayReason};
use switchboard_telemetry::Goaway;

use crate::{broker::load::ClusterLoad, clock::whole_seconds, context::Context, session::handle::Session};

/// A client that was asked to make room is not asked again for this long: it has its reasons to stay.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// A client that was asked to move this recently probably leaves now.
const RECENTLY: Duration = Duration::from_secs(10);

/// How long a connection that has reached its maximum age may stay after it was asked to move.
const LAST_STAY: Duration = Duration::from_secs(60);

/// How old connections may become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxAge {
    /// The oldest, in whole seconds.
    pub max: Duration,
    /// Each connection's own bound is earlier by up to this share, so connections that came together do not go
    /// together.
    pub jitter: f64,
}

impl MaxAge {
    /// The bound of the connection with this number, in seconds.
    fn of(self, order: u64) -> u32 {
        // Fibonacci hashing: consecutive numbers come out evenly spread.
        let spread = order.wrapping_mul(0x9E37_79B9_7F4A_7C15) as f64 / u64::MAX as f64;
        self.max.mul_f64(1.0 - self.jitter * spread).as_secs() as u32
    }
}

/// The sessions of one node, seen by those who ask clients to move.
pub struct Rebalance {
    cx: Arc<Context>,
}

impl Rebalance {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        Self { cx }
    }

    /// Tells other nodes that this one has `own` connections and takes more (`None`: it takes none). Returns
    /// the counts of the cluster; `None` while they are unknown.
    #[must_use]
    pub fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad> {
        self.cx.broker().ok()?.cluster_load(own)
    }

    /// All sessions attached at this moment, in no order: first those without a message in either direction
    /// for `quiet_for`, then the others, which may be in the middle of a negotiation.
    #[must_use]
    pub fn quiet_and_active(&self, quiet_for: Duration) -> (Vec<Arc<Session>>, Vec<Arc<Session>>) {
        // Sessions that never did anything have the second 0.
        let since_s = self.now_s().saturating_sub(whole_seconds(quiet_for));
        let all = self.cx.registry.all().into_iter();
        all.partition(|session| !session.was_active_since(since_s))
    }

    /// Asks a client to open a new connection, to the node that it then gets.
    pub fn ask_to_move(&self, session: &Session, why: Goaway) {
        session.mark_asked(self.now_s());
        let reason = match why {
            Goaway::Draining => GoawayReason::Draining,
            Goaway::Rebalance | Goaway::Age => GoawayReason::Rebalancing,
        };
        let reconnect_after_ms = 0;
        session.push_event(Event::Goaway {
            reason,
            reconnect_after_ms,
        });
        self.cx.telemetry.goaway_sent(why);
    }

    /// How many clients were asked to move a moment ago and have not left.
    #[must_use]
    pub fn recently_asked(&self) -> usize {
        let now_s = self.now_s();
        let is_recent = |session: &Session| asked_for(session, now_s).is_some_and(|for_s| for_s < RECENTLY);
        self.cx.registry.select(is_recent).len()
    }

    /// At most `count` clients to ask to make room: first those without a message in either direction for
    /// `quiet_for`, among these the longest connected first.
    #[must_use]
    pub fn candidates(&self, count: usize, quiet_for: Duration) -> Vec<Arc<Session>> {
        let now_s = self.now_s();
        let since_s = now_s.saturating_sub(whole_seconds(quiet_for));
        let may_be_asked =
            |session: &Session| asked_for(session, now_s).is_none_or(|for_s| for_s >= ASK_AGAIN_AFTER);
        let sessions = self.cx.registry.select(may_be_asked);
        first(sessions, count, |session| {
            (session.was_active_since(since_s), session.order())
        })
    }

    /// At most `count` clients to ask to move because their connections have reached their maximum age, the
    /// oldest first. A client that was asked because of that and has not moved is closed; it counts too.
    #[must_use]
    pub fn over_age(&self, age: MaxAge, count: usize) -> Vec<Arc<Session>> {
        let now_s = self.now_s();
        let due_s = |session: &Session| session.since_s().saturating_add(age.of(session.order()));
        let was_asked = |session: &Session| session.asked_s() >= due_s(session);
        let is_due = |session: &Session| {
            let may_stay = || asked_for(session, now_s).is_some_and(|for_s| for_s < LAST_STAY);
            now_s >= due_s(session) && !(was_asked(session) && may_stay())
        };
        let sessions = first(self.cx.registry.select(is_due), count, Session::order);
        let (stayed, due): (Vec<_>, _) = sessions.into_iter().partition(|session| was_asked(session));
        for session in stayed {
            session.close(CloseCode::Restarting);
        }
        due
    }

    fn now_s(&self) -> u32 {
        self.cx.second(self.cx.now())
    }
}

/// How long ago a client was asked to move, if ever.
fn asked_for(session: &Session, now_s: u32) -> Option<Duration> {
    let asked_s = session.asked_s();
    (asked_s > 0).then(|| Duration::from_secs(now_s.saturating_sub(asked_s).into()))
}

/// The `count` smallest by `rank`, in their order.
fn first<K: Ord>(
    mut sessions: Vec<Arc<Session>>,
    count: usize,
    rank: impl Fn(&Session) -> K,
) -> Vec<Arc<Session>> {
    if count < sessions.len() {
        sessions.select_nth_unstable_by_key(count, |session| rank(session));
        sessions.truncate(count);
    }
    sessions.sort_unstable_by_key(|session| rank(session));
    sessions
}
