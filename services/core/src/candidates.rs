//! Whom a node asks to move to another, and that each is asked once in a while only. Not when or how many
//! (`balance`), nor the drain of a node that stops (the edge's).

use std::{sync::Arc, time::Duration};

use switchboard_protocol::{CloseCode, Event, GoawayReason};
use switchboard_telemetry::Goaway;

use crate::{ClusterLoad, Router, Session};

/// Who was asked to make room is not asked again for so long: a client that stays has its reasons.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// A client that was asked to move within this time is believed to be about to go.
const ABOUT_TO_GO: Duration = Duration::from_secs(10);

/// How long a connection that has reached its age may stay once it was asked to move.
const LAST_STAY: Duration = Duration::from_secs(60);

/// How old connections may become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxAge {
    /// The oldest, in whole seconds.
    pub most: Duration,
    /// Each connection's own bound is earlier by up to this share, so that those that came together do not go
    /// together.
    pub jitter: f64,
}

impl MaxAge {
    /// The bound of the connection with this number, in seconds.
    fn of(self, order: u64) -> u32 {
        // Fibonacci hashing: numbers in a row come out evenly spread.
        let spread = order.wrapping_mul(0x9E37_79B9_7F4A_7C15) as f64 / u64::MAX as f64;
        self.most.mul_f64(1.0 - self.jitter * spread).as_secs() as u32
    }
}

impl Router {
    /// Tells other nodes that this one has `own` connections and takes more (`None`: it takes none), and what
    /// is known of them. `None` while nothing is known.
    #[must_use]
    pub fn cluster_load(&self, own: Option<usize>) -> Option<ClusterLoad> {
        self.broker.get()?.cluster_load(own)
    }

    /// Asks a client to open a new connection, to whatever node it gets.
    pub fn ask_to_move(&self, peer: &Session, why: Goaway) {
        peer.was_asked_to_move(self.second(self.now()));
        let reason = match why {
            Goaway::Draining => GoawayReason::Draining,
            Goaway::Rebalance | Goaway::Age => GoawayReason::Rebalancing,
        };
        let reconnect_after_ms = 0;
        peer.push_event(Event::Goaway {
            reason,
            reconnect_after_ms,
        });
        self.telemetry.goaway_sent(why);
    }

    /// How many were asked to move a moment ago and are still here.
    #[must_use]
    pub fn recently_asked(&self) -> usize {
        let now_s = self.second(self.now());
        let is_about_to_go = |peer: &Session| asked_for(peer, now_s).is_some_and(|for_s| for_s < ABOUT_TO_GO);
        self.registry.select(is_about_to_go).len()
    }

    /// At most `count` clients to ask to make room: first those who neither sent nor got anything for
    /// `quiet_for`, of these the longest connected first.
    #[must_use]
    pub fn rebalance_candidates(&self, count: usize, quiet_for: Duration) -> Vec<Arc<Session>> {
        let now_s = self.second(self.now());
        let since_s = now_s.saturating_sub(seconds(quiet_for));
        let may_be_asked =
            |peer: &Session| asked_for(peer, now_s).is_none_or(|for_s| for_s >= ASK_AGAIN_AFTER);
        let peers = self.registry.select(may_be_asked);
        first(peers, count, |peer| {
            (peer.was_active_since(since_s), peer.order())
        })
    }

    /// At most `count` clients to ask to move because their connections have reached their age, the oldest
    /// first. Who was asked because of that and has not moved is closed; that counts as well.
    #[must_use]
    pub fn over_age(&self, age: MaxAge, count: usize) -> Vec<Arc<Session>> {
        let now_s = self.second(self.now());
        let due_s = |peer: &Session| peer.since_s().saturating_add(age.of(peer.order()));
        let was_asked = |peer: &Session| peer.asked_s() >= due_s(peer);
        let is_meant = |peer: &Session| {
            let may_stay = || asked_for(peer, now_s).is_some_and(|for_s| for_s < LAST_STAY);
            now_s >= due_s(peer) && !(was_asked(peer) && may_stay())
        };
        let peers = first(self.registry.select(is_meant), count, Session::order);
        let (stayed, due): (Vec<_>, _) = peers.into_iter().partition(|peer| was_asked(peer));
        for peer in stayed {
            peer.close(CloseCode::Restarting);
        }
        due
    }
}

/// How long ago a peer was asked to move, if ever.
fn asked_for(peer: &Session, now_s: u32) -> Option<Duration> {
    let asked_s = peer.asked_s();
    (asked_s > 0).then(|| Duration::from_secs(now_s.saturating_sub(asked_s).into()))
}

/// The `count` smallest by `rank`, in their order.
fn first<K: Ord>(
    mut peers: Vec<Arc<Session>>,
    count: usize,
    rank: impl Fn(&Session) -> K,
) -> Vec<Arc<Session>> {
    if count < peers.len() {
        peers.select_nth_unstable_by_key(count, |peer| rank(peer));
        peers.truncate(count);
    }
    peers.sort_unstable_by_key(|peer| rank(peer));
    peers
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
