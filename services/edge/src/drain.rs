//! Emptying a node: clients are told to go, then closed with 1012, within a deadline. When to drain, and
//! readiness, are the node's affair.

use std::{sync::Arc, time::Duration};

use rand::seq::SliceRandom as _;
use switchboard_protocol::CloseCode;
use switchboard_telemetry::Goaway;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::Edge;

/// How a node is emptied.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// Over how long the `goaway`s are spread, in random order.
    pub window: Duration,
    /// How long a client has between its `goaway` and being closed.
    pub grace: Duration,
    /// When whoever is left is cut off, from the start of the drain.
    pub deadline: Duration,
}

/// What a drain achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Clients that were told to go.
    pub told: usize,
    /// Connections still open at the deadline.
    pub cut_off: usize,
}

/// A peer that sent or got nothing for this long is not in the middle of a negotiation.
pub(crate) const QUIET_FOR: Duration = Duration::from_secs(5);

impl Edge {
    /// Refuses new connections, sends `goaway` to everybody over `plan.window`, quiet peers first, closes each
    /// with 1012 after `plan.grace` unless it has moved, and waits for the close handshakes until
    /// `plan.deadline`.
    ///
    /// Dropping the future cancels the drain: new connections are taken again, and whoever was told to go may
    /// stay.
    pub async fn drain(self: &Arc<Self>, plan: DrainPlan) -> DrainReport {
        let start = Instant::now();
        let refusing = Refusing::begin(self);
        let (mut peers, mut active) = self.router.rebalance().quiet_and_active(QUIET_FOR);
        // Random order is the jitter: neighbours in time are not neighbours in anything else.
        peers.shuffle(&mut rand::rng());
        active.shuffle(&mut rand::rng());
        peers.append(&mut active);
        let told = peers.len();
        let step = plan.window / u32::try_from(told.max(1)).unwrap_or(u32::MAX);
        let mut closing = std::collections::VecDeque::new();
        for (peer, at) in peers.into_iter().zip((0..).map(|index| start + step * index)) {
            sleep_until(at).await;
            self.router.rebalance().ask_to_move(&peer, Goaway::Draining);
            closing.push_back((at + plan.grace, peer));
            while let Some((_, peer)) = closing.pop_front_if(|(at, _)| *at <= Instant::now()) {
                peer.close(CloseCode::Restarting);
            }
        }
        for (at, peer) in closing {
            sleep_until(at).await;
            peer.close(CloseCode::Restarting);
        }
        let _ = timeout_at(start + plan.deadline, self.all_closed()).await;
        refusing.goes_on();
        DrainReport {
            told,
            cut_off: self.open_connections(),
        }
    }

    async fn all_closed(&self) {
        /// How often the number of open connections is looked at.
        const LOOK_EVERY: Duration = Duration::from_millis(20);
        while self.open_connections() > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// New connections are refused; dropped before its end, they are taken again.
struct Refusing<'a>(Option<&'a Edge>);

impl<'a> Refusing<'a> {
    fn begin(edge: &'a Edge) -> Self {
        edge.refuse_new(true);
        Self(Some(edge))
    }

    fn goes_on(mut self) {
        self.0 = None;
    }
}

impl Drop for Refusing<'_> {
    fn drop(&mut self) {
        if let Some(edge) = self.0 {
            edge.refuse_new(false);
        }
    }
}
