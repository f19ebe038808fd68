//! Two peers that talk to each other, held by one task: connecting them where the scenario wants them, what either
//! hears, and the oracle on both directions. What they say, and when, is for `call`, `streams` and `idle`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use switchboard_protocol::MessageKind;
use tokio::time::timeout;

use super::{
    flow::{Arrived, Flow},
    judge::Judge,
    peer::Peer,
    share::{Names, PairName},
    stamp::{self, FlowId},
};
use crate::{
    drivers::{Driver, Heard, Link as _, Refusal},
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
    pub(crate) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What happened to the pair.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message arrived at this one.
    Arrived(Which, Arrived),
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
    is_deaf: bool,
}

/// Two peers that talk to each other.
pub(crate) struct Pair<D: Driver> {
    a: Side<D>,
    b: Side<D>,
    judge: Arc<Judge>,
}

impl<D: Driver> Pair<D> {
    /// Connects both at once. `late` is how much later than planned this begins.
    pub(crate) async fn connect(
        driver: &D,
        judge: &Arc<Judge>,
        names: &Names,
        pair: PairName,
        placement: Placement,
        late: Duration,
    ) -> Result<Self, Refusal> {
        let (who_a, who_b) = names.pair(&pair, placement, driver.nodes());
        let (a, b) = tokio::join!(
            Peer::connect(driver, &judge.recorder, &who_a, late),
            Peer::connect(driver, &judge.recorder, &who_b, late)
        );
        let (a, b) = (a?, b?);
        let is_one_node = a.node == b.node;
        let is_as_wished = match placement {
            Placement::SameNode => is_one_node,
            Placement::CrossNode => !is_one_node,
            Placement::Random => true,
        };
        if !is_as_wished {
            judge.recorder.count(Counter::PlacementMissed);
        }
        let side = |peer, flow| Side {
            peer,
            out: Flow::new(FlowId(flow), driver.promises()),
            is_deaf: false,
        };
        let flow = names.flow(&pair);
        Ok(Self {
            a: side(a, flow),
            b: side(b, flow + 1),
            judge: Arc::clone(judge),
        })
    }

    fn side(&mut self, which: Which) -> &mut Side<D> {
        match which {
            Which::A => &mut self.a,
            Which::B => &mut self.b,
        }
    }

    /// Sends to the other. What cannot be sent any more counts as told.
    pub(crate) async fn send(
        &mut self,
        from: Which,
        kind: MessageKind,
        bytes: usize,
        late: Duration,
    ) -> bool {
        let judge = Arc::clone(&self.judge);
        let to = self.side(from.other()).peer.address.clone();
        let side = self.side(from);
        let number = side.out.next();
        let Ok(payload) = stamp::payload(side.out.id, number, bytes) else {
            judge.recorder.error("a payload could not be made");
            return false;
        };
        let Some(link) = side.peer.link() else {
            return false;
        };
        let at = Instant::now();
        if link.send(kind, &to, &payload).await.is_err() {
            judge
                .recorder
                .error("send: not sent, the connection is over or full");
            return false;
        }
        judge.recorder.add(Counter::BytesSent, payload.get().len() as u64);
        side.out.sent(kind, at, late, &judge);
        true
    }

    /// What happens next. May be cancelled.
    pub(crate) async fn next(&mut self) -> Event {
        let (a_deaf, b_deaf) = (self.a.is_deaf, self.b.is_deaf);
        let (which, heard) = tokio::select! {
            heard = self.a.peer.next(), if !a_deaf => (Which::A, heard),
            heard = self.b.peer.next(), if !b_deaf => (Which::B, heard),
            else => std::future::pending().await,
        };
        self.take(which, heard)
    }

    fn take(&mut self, which: Which, heard: Heard) -> Event {
        let judge = Arc::clone(&self.judge);
        match heard {
            Heard::Message { from, payload } => {
                let sender = &self.side(which.other()).peer;
                if from.is_some_and(|from| from != sender.name && from != sender.address) {
                    judge.offence(Counter::Misdelivered, || "under another sender's name".to_owned());
                    return Event::Other;
                }
                self.arrive(which, stamp::read(&payload), &judge)
            }
            Heard::Word { id, word } => {
                self.side(which).out.word(id, word, &judge);
                Event::Other
            }
            Heard::Lost(_) => Event::Other,
            Heard::Back { resumed, gap, .. } => {
                if gap || !resumed {
                    self.side(which.other()).out.is_told();
                }
                Event::Other
            }
            Heard::Ended(_) => {
                // Whoever is cut off knows that what is under way in either direction may be lost.
                self.a.out.is_told();
                self.b.out.is_told();
                Event::Ended
            }
        }
    }

    fn arrive(&mut self, at: Which, stamp: Option<(FlowId, u64)>, judge: &Judge) -> Event {
        let flow = &mut self.side(at.other()).out;
        match stamp {
            None => judge.offence(Counter::Corrupted, || {
                format!("{:?}: a payload was changed", flow.id)
            }),
            Some((id, _)) if id != flow.id => judge.offence(Counter::Misdelivered, || {
                format!("{id:?} arrived where {:?} was expected", flow.id)
            }),
            Some((_, number)) => {
                if let Some(arrived) = flow.arrived(number, judge) {
                    return Event::Arrived(at, arrived);
                }
            }
        }
        Event::Other
    }

    /// This one stops reading, or goes on.
    pub(crate) fn set_deaf(&mut self, which: Which, is_deaf: bool) {
        self.side(which).is_deaf = is_deaf;
    }

    /// The times of what is sent to this one do not count.
    pub(crate) fn leave_untimed(&mut self, receiver: Which) {
        self.side(receiver.other()).out.is_timed = false;
        self.side(receiver).out.is_timed = false;
    }

    /// Takes what still comes until every send is finished, at most so long, and judges the rest.
    pub(crate) async fn settle(&mut self, within: Duration) {
        self.a.is_deaf = false;
        self.b.is_deaf = false;
        let settled = async {
            while !(self.a.out.is_settled() && self.b.out.is_settled()) {
                self.next().await;
            }
        };
        // What is open by then is judged as it is.
        let _ = timeout(within, settled).await;
        self.a.out.end(&self.judge);
        self.b.out.end(&self.judge);
    }

    /// Both leave in good order.
    pub(crate) async fn close(self) {
        tokio::join!(self.a.peer.close(), self.b.peer.close());
    }
}
