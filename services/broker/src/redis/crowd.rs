//! How many connections each node has: told with every renewal of the lease, and what the others told is heard in
//! the same script. Not what follows from it (`switchboard_core::RebalancePolicy`).
//!
//! All of it is one small hash: a field for each node, with its count and until when that stands by Redis' own
//! clock, so that no two nodes' clocks are compared. Whoever calls removes what has run out.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use switchboard_core::ClusterLoad;
use switchboard_telemetry::RedisOp;

use super::{
    lease::{LEASE, RENEW_EVERY},
    pool,
    scripts::Operation,
    shared::Shared,
};
use crate::keys;

/// What was heard stands for two renewals and some delay.
const STANDS_FOR: Duration = RENEW_EVERY
    .saturating_mul(2)
    .saturating_add(Duration::from_secs(1));

/// What this node has to say, and what it last heard.
#[derive(Debug, Default)]
pub(crate) struct Meeting(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    own: Option<usize>,
    /// What was said the last time, if anything.
    said: Option<usize>,
    heard: Option<(Instant, ClusterLoad)>,
}

impl Meeting {
    /// Takes what is to be said next, and gives what was heard, while it stands.
    pub(crate) fn exchange(&self, own: Option<usize>) -> Option<ClusterLoad> {
        let mut state = self.0.lock();
        state.own = own;
        let heard = state.heard.as_ref();
        heard
            .filter(|(at, _)| at.elapsed() < STANDS_FOR)
            .map(|(_, crowd)| crowd.clone())
    }

    fn to_say(&self) -> Option<usize> {
        self.0.lock().own
    }

    /// `own` was said at `at`, and this is what the others had said.
    fn heard(&self, at: Instant, own: Option<usize>, others: Vec<usize>) {
        let mut state = self.0.lock();
        let before = std::mem::replace(&mut state.said, own);
        state.heard = own.map(|own| {
            let own = before.map_or(own, |before| before.min(own));
            (at, ClusterLoad { own, others })
        });
    }
}

/// Says what is to be said and hears the others. A failure costs nothing but that: what was heard before stands
/// for a while.
pub(crate) async fn meet(shared: &Shared, pool: &deadpool_redis::Pool) {
    let at = Instant::now();
    let own = shared.meeting.to_say();
    let mut call = shared.scripts.call(Operation::Meet, 1, true);
    call.arg(keys::cluster_load())
        .arg(shared.node.as_str())
        .arg(own.map_or_else(String::new, |own| own.to_string()))
        .arg(LEASE.as_millis() as u64)
        .arg(ClusterLoad::MAX_NODES);
    let mut pipeline = redis::Pipeline::with_capacity(1);
    pipeline.add_command(call);
    let met = pool::query::<(Vec<usize>,)>(pool, &pipeline).await;
    shared
        .telemetry
        .redis_command(RedisOp::ClusterLoad, at.elapsed(), met.is_ok());
    match met {
        Ok((others,)) => shared.meeting.heard(at, own, others),
        Err(error) => tracing::warn!(%error, "the other nodes' connections could not be counted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(meeting: &Meeting, own: Option<usize>) -> Option<usize> {
        meeting.exchange(own).map(|crowd| crowd.own)
    }

    #[test]
    fn a_node_that_grows_compares_what_it_said_before_the_others_spoke() {
        let meeting = Meeting::default();
        let now = Instant::now();
        assert_eq!(own(&meeting, Some(10)), None);
        meeting.heard(now, Some(10), vec![7]);
        assert_eq!(own(&meeting, Some(30)), Some(10));
        meeting.heard(now, Some(30), vec![20]);
        assert_eq!(own(&meeting, Some(25)), Some(10));
        meeting.heard(now, Some(25), vec![20]);
        assert_eq!(own(&meeting, Some(25)), Some(25));
    }

    #[test]
    fn a_node_that_takes_no_clients_and_one_that_hears_nothing_new_knows_nothing() {
        let meeting = Meeting::default();
        let now = Instant::now();
        meeting.heard(now, Some(10), vec![7]);
        assert_eq!(own(&meeting, None), Some(10));
        meeting.heard(now, None, vec![7]);
        assert_eq!(own(&meeting, None), None);
        meeting.heard(now.checked_sub(STANDS_FOR).unwrap(), Some(10), vec![7]);
        assert_eq!(own(&meeting, Some(10)), None);
    }
}
