//! Draining a node: clients are asked to move, then closed with 1012, within a deadline. When to drain, and what
//! readiness says meanwhile, is decided in the node.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use rand::seq::SliceRandom as _;
use switchboard_protocol::CloseCode;
use switchboard_telemetry::Goaway;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::state::Edge;

/// How a node drains.
#[derive(Debug, Clone, Copy)]
pub struct DrainPlan {
    /// The time over which the `goaway`s are spread, in random order.
    pub window: Duration,
    /// How long a client has between its `goaway` and its close.
    pub grace: Duration,
    /// The end of the drain, from its start: connections that are still open are cut off.
    pub deadline: Duration,
}

/// What a drain achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Clients that were asked to move.
    pub asked: usize,
    /// Connections still open at the deadline.
    pub cut_off: usize,
}

/// A session without a message for this long is not in the middle of a negotiation.
pub(crate) const QUIET_FOR: Duration = Duration::from_secs(5);

/// How often a drain counts the open connections.
const COUNT_EVERY: Duration = Duration::from_millis(20);

impl Edge {
    /// Refuses new connections, sends `goaway` to all clients over `plan.window`, quiet ones first, closes each with
    /// 1012 after `plan.grace` unless it has moved, and waits for the close handshakes until `plan.deadline`.
    ///
    /// Dropping the future cancels the drain: new connections are taken again, and clients that were asked to move
    /// may stay.
    pub async fn drain(self: &Arc<Self>, plan: DrainPlan) -> DrainReport {
        let start = Instant::now();
        let refusing = Refusing::begin(self);
        let (mut sessions, mut active) = self.router.rebalance().quiet_and_active(QUIET_FOR);
        // The registry's order is not random: without a shuffle, clients that came together would go together.
        sessions.shuffle(&mut rand::rng());
        active.shuffle(&mut rand::rng());
        sessions.append(&mut active);
        let asked = sessions.len();
        let step = plan.window / u32::try_from(asked.max(1)).unwrap_or(u32::MAX);
        let mut closing = VecDeque::new();
        for (session, at) in sessions.into_iter().zip((0..).map(|index| start + step * index)) {
            sleep_until(at).await;
            self.router.rebalance().ask_to_move(&session, Goaway::Draining);
            closing.push_back((at + plan.grace, session));
            while let Some((_, session)) = closing.pop_front_if(|(at, _)| *at <= Instant::now()) {
                session.close(CloseCode::Restarting);
            }
        }
        for (at, session) in closing {
            sleep_until(at).await;
            session.close(CloseCode::Restarting);
        }
        let _ = timeout_at(start + plan.deadline, self.all_closed()).await;
        refusing.keep();
        DrainReport {
            asked,
            cut_off: self.open_connections(),
        }
    }

    async fn all_closed(&self) {
        while self.open_connections() > 0 {
            tokio::time::sleep(COUNT_EVERY).await;
        }
    }
}

/// New connections are refused. Dropping this takes them again, unless [`Refusing::keep`] was called.
struct Refusing<'a>(Option<&'a Edge>);

impl<'a> Refusing<'a> {
    fn begin(edge: &'a Edge) -> Self {
        edge.refuse_new(true);
        Self(Some(edge))
    }

    fn keep(mut self) {
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
