//! Two peers that talk to each other, held by one task: connecting them where the scenario wants them, what either
//! receives, and the oracle on both directions. `call`, `streams` and `idle` decide what they send, and when.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_protocol::MessageKind;
use tokio::time::timeout;

use super::{
    flow::Flow,
    oracle::Oracle,
    peer::Peer,
    share::{Names, PairName},
    stamp::{self, FlowId},
};
use crate::{
    drivers::{Driver, Link as _, LinkEvent, Refusal},
    record::Counter,
    scenario::Placement,
};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The caller, the first of the two.
    A,
    /// The callee.
    B,
}

impl Which {
    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What happened to the pair.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message of that kind arrived at this one.
    Arrived(Which, MessageKind),
    /// The connection of one of them is over.
    Ended,
    /// Something else, noted already.
    Other,
}

struct Side<D: Driver> {
    peer: Peer<D>,
    /// What it sends.
    out: Flow,
    /// It does not read: slow on purpose.
    is_paused: bool,
}

/// Two peers that talk to each other.
pub(crate) struct Pair<D: Driver> {
    a: Side<D>,
    b: Side<D>,
    oracle: Arc<Oracle>,
}

impl<D: Driver> Pair<D> {
    /// Connects both at once. `late` is how much later than planned this begins.
    pub(crate) async fn connect(
        driver: &D,
        oracle: &Arc<Oracle>,
        names: &Names,
        pair: PairName,
        placement: Placement,
        late: Duration,
    ) -> Result<Self, Refusal> {
        let (who_a, who_b) = names.pair(&pair, placement, driver.nodes());
        let (a, b) = tokio::join!(
            Peer::connect(driver, &oracle.recorder, &who_a, late),
            Peer::connect(driver, &oracle.recorder, &who_b, late)
        );
        let (a, b) = (a?, b?);
        let is_placed = match placement {
            Placement::SameNode => a.node == b.node,
            Placement::CrossNode => a.node != b.node,
            Placement::Random => true,
        };
        if !is_placed {
            oracle.recorder.count(Counter::PlacementMissed);
        }
        let side = |peer, flow| Side {
            peer,
            out: Flow::new(FlowId(flow), driver.promises()),
            is_paused: false,
        };
        let flow = names.flow(&pair);
        Ok(Self {
            a: side(a, flow),
            b: side(b, flow + 1),
            oracle: Arc::clone(oracle),
        })
    }

    fn side(&mut self, which: Which) -> &mut Side<D> {
        match which {
            Which::A => &mut self.a,
            Which::B => &mut self.b,
        }
    }

    /// Sends to the other; whether it was sent.
    pub(crate) async fn send(
        &mut self,
        from: Which,
        kind: MessageKind,
        bytes: usize,
        late: Duration,
    ) -> bool {
        let (side, receiver) = match from {
            Which::A => (&mut self.a, &self.b.peer),
            Which::B => (&mut self.b, &self.a.peer),
        };
        let (oracle, number) = (&self.oracle, side.out.next_number());
        let Ok(payload) = stamp::payload(side.out.id, number, bytes) else {
            oracle.recorder.error("a payload could not be made");
            return false;
        };
        let Some(link) = side.peer.link() else {
            return false;
        };
        let at = Instant::now();
        if link.send(kind, &receiver.address, &payload).await.is_err() {
            oracle
                .recorder
                .error("send: not sent, the connection is over or full");
            return false;
        }
        oracle
            .recorder
            .add(Counter::BytesSent, payload.get().len() as u64);
        side.out.sent(kind, at, late, oracle);
        true
    }

    /// How many sends of both are unfinished.
    pub(crate) fn unfinished(&self) -> usize {
        self.a.out.unfinished() + self.b.out.unfinished()
    }

    /// What happens next. May be cancelled.
    pub(crate) async fn next(&mut self) -> Event {
        let (a_paused, b_paused) = (self.a.is_paused, self.b.is_paused);
        let (which, event) = tokio::select! {
            event = self.a.peer.next(), if !a_paused => (Which::A, event),
            event = self.b.peer.next(), if !b_paused => (Which::B, event),
            else => std::future::pending().await,
        };
        self.take(which, event)
    }

    fn take(&mut self, which: Which, event: LinkEvent) -> Event {
        match event {
            LinkEvent::Message { from, payload } => {
                let sender = &self.side(which.other()).peer;
                if from.is_some_and(|from| from != sender.name && from != sender.address) {
                    let story = || "under another sender's name".to_owned();
                    self.oracle.violation(Counter::Misdelivered, story);
                } else if let Some(kind) = self.arrive(which, stamp::read(&payload)) {
                    return Event::Arrived(which, kind);
                }
            }
            LinkEvent::Outcome { id, outcome } => {
                let oracle = Arc::clone(&self.oracle);
                self.side(which).out.outcome(id, outcome, &oracle);
            }
            // Pairs are in no room.
            LinkEvent::Disconnected(_)
            | LinkEvent::Room(_)
            | LinkEvent::RoomMessage { .. }
            | LinkEvent::Refused { .. } => {}
            LinkEvent::Reconnected { resumed, gap, .. } => {
                if gap || !resumed {
                    self.side(which.other()).out.excuse_unfinished();
                }
            }
            LinkEvent::Ended(_) => {
                // A peer that is cut off knows that messages in either direction may be lost.
                self.a.out.excuse_unfinished();
                self.b.out.excuse_unfinished();
                return Event::Ended;
            }
        }
        Event::Other
    }

    fn arrive(&mut self, at: Which, stamp: Option<(FlowId, u64)>) -> Option<MessageKind> {
        let oracle = Arc::clone(&self.oracle);
        let flow = &mut self.side(at.other()).out;
        let expected = flow.id;
        match stamp {
            Some((id, number)) if id == expected => return flow.arrived(number, &oracle),
            Some((id, _)) => oracle.violation(Counter::Misdelivered, || {
                format!("{id:?} arrived where {expected:?} was expected")
            }),
            None => oracle.violation(Counter::Corrupted, || {
                format!("{expected:?}: a payload was changed")
            }),
        }
        None
    }

    /// Whether this one stops reading.
    pub(crate) fn set_paused(&mut self, which: Which, is_paused: bool) {
        self.side(which).is_paused = is_paused;
    }

    /// The times of this pair do not count.
    pub(crate) fn leave_untimed(&mut self) {
        self.a.out.is_timed = false;
        self.b.out.is_timed = false;
    }

    /// Takes what still comes until every send is finished, at most so long, and checks the rest.
    pub(crate) async fn settle(&mut self, within: Duration) {
        self.a.is_paused = false;
        self.b.is_paused = false;
        let settled = async {
            while self.unfinished() > 0 {
                self.next().await;
            }
        };
        // The oracle checks the sends that are unfinished then.
        let _ = timeout(within, settled).await;
        self.a.out.end(&self.oracle);
        self.b.out.end(&self.oracle);
    }

    /// Both leave in good order.
    pub(crate) async fn close(self) {
        tokio::join!(self.a.peer.close(), self.b.peer.close());
    }
}
