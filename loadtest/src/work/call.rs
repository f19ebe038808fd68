//! One call, from connect to bye: offer → answer → candidates each way → renegotiations → bye. Both peers are
//! in one task, so that all times are of one clock. Not when calls start (`calls`).

use std::{sync::Arc, time::Duration};

use rand::RngExt as _;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, sleep_until};

use super::{
    flow::Arrived,
    judge::Judge,
    pair::{Event, Pair, Which},
    share::{Names, PairName},
};
use crate::{
    drivers::Driver,
    record::{Counter, Metric},
    scenario::Calls,
};

/// Bytes of a candidate and of a bye.
const CANDIDATE_BYTES: usize = 220;
const BYE_BYTES: usize = 100;

/// Further off than any call lasts.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// What all calls of a run share.
pub(crate) struct Line<D: Driver> {
    pub(crate) driver: D,
    pub(crate) judge: Arc<Judge>,
    pub(crate) names: Names,
    pub(crate) calls: Calls,
    /// How long the last messages and words may take.
    pub(crate) settle: Duration,
}

/// Candidates still to be sent by one side.
#[derive(Debug, Default)]
struct Trickle {
    left: u32,
    next: Option<Instant>,
}

/// How far a call has come.
struct Call<'a, D: Driver> {
    line: &'a Line<D>,
    pair: Pair<D>,
    begun: Instant,
    late: Duration,
    offer_bytes: usize,
    /// When the first offer was sent.
    offered_at: Option<Instant>,
    trickles: [Trickle; 2],
    /// By who has it: the other's description, the other's first candidate.
    descriptions: [bool; 2],
    candidates: [bool; 2],
    set_up_at: Option<Instant>,
    renegotiations_left: u32,
    next_round: Option<Instant>,
    bye_at: Option<Instant>,
}

/// How a step of a call ended.
enum Step {
    GoesOn,
    Over,
    Failed(&'static str),
}

/// Makes a call that was meant to begin `late` ago.
pub(crate) async fn run<D: Driver>(line: &Line<D>, number: u64, late: Duration) {
    let recorder = &line.judge.recorder;
    recorder.count(Counter::CallsStarted);
    recorder.call_begins();
    let begun = Instant::now();
    let pair = PairName {
        population: 'c',
        number,
    };
    let placement = line.calls.placement;
    match Pair::connect(&line.driver, &line.judge, &line.names, pair, placement, late).await {
        Ok(pair) => {
            let [least, most] = line.calls.offer_bytes;
            let call = Call {
                line,
                pair,
                begun,
                late,
                offer_bytes: rand::rng().random_range(least..=most),
                offered_at: None,
                trickles: Default::default(),
                descriptions: [false; 2],
                candidates: [line.calls.candidates == 0; 2],
                set_up_at: None,
                renegotiations_left: line.calls.renegotiations,
                next_round: None,
                bye_at: None,
            };
            call.make().await;
        }
        Err(_) => recorder.count(Counter::CallsFailed),
    }
    recorder.call_ends();
}

impl<D: Driver> Call<'_, D> {
    async fn make(mut self) {
        let outcome = self.talk().await;
        let recorder = &self.line.judge.recorder;
        match outcome {
            Step::Failed(why) => {
                recorder.count(Counter::CallsFailed);
                recorder.error(&format!("call: {why}"));
            }
            Step::Over | Step::GoesOn => {}
        }
        self.pair.settle(self.line.settle).await;
        self.pair.close().await;
    }

    async fn talk(&mut self) -> Step {
        self.offered_at = Some(Instant::now());
        if !self.describe(Which::A, MessageKind::Offer).await {
            return Step::Failed("the offer could not be sent");
        }
        loop {
            let due = self.due();
            let step = tokio::select! {
                event = self.pair.next() => self.take(event).await,
                () = sleep_until(due) => self.is_due().await,
            };
            match step {
                Step::GoesOn => {}
                Step::Over | Step::Failed(_) => return step,
            }
        }
    }

    /// Sends a description; the first one is followed by candidates, the first of them at once.
    async fn describe(&mut self, from: Which, kind: MessageKind) -> bool {
        let is_sent = self.pair.send(from, kind, self.offer_bytes, Duration::ZERO).await;
        if self.set_up_at.is_none() {
            *self.trickle(from) = Trickle {
                left: self.line.calls.candidates,
                next: (self.line.calls.candidates > 0).then(Instant::now),
            };
            self.send_candidate(from).await;
        }
        is_sent
    }

    fn trickle(&mut self, from: Which) -> &mut Trickle {
        let [a, b] = &mut self.trickles;
        match from {
            Which::A => a,
            Which::B => b,
        }
    }

    /// Sends what candidate of this side is due.
    async fn send_candidate(&mut self, from: Which) {
        let mean = self.line.calls.candidate_gap.get();
        let now = Instant::now();
        let trickle = self.trickle(from);
        let Some(planned) = trickle.next.filter(|planned| *planned <= now) else {
            return;
        };
        trickle.left -= 1;
        // Exponential gaps, counted from the moment planned: a late sender catches up.
        let gap = mean.mul_f64(-(1.0 - rand::rng().random::<f64>()).ln());
        trickle.next = (trickle.left > 0).then(|| planned + gap);
        let late = now.saturating_duration_since(planned);
        self.pair
            .send(from, MessageKind::Candidate, CANDIDATE_BYTES, late)
            .await;
    }

    /// When something is due that nobody sends.
    fn due(&self) -> Instant {
        let deadline = self
            .set_up_at
            .is_none()
            .then(|| self.begun + self.line.calls.deadline.get());
        let [a, b] = &self.trickles;
        let is_trickling = a.next.is_some() || b.next.is_some();
        // Nobody says bye while candidates are still to be sent.
        let bye = self.bye_at.filter(|_| !is_trickling);
        [deadline, a.next, b.next, self.next_round, bye]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + NEVER)
    }

    async fn is_due(&mut self) -> Step {
        let now = Instant::now();
        self.send_candidate(Which::A).await;
        self.send_candidate(Which::B).await;
        if self.set_up_at.is_none() {
            let deadline = self.begun + self.line.calls.deadline.get();
            return if now >= deadline {
                Step::Failed("not set up in time")
            } else {
                Step::GoesOn
            };
        }
        if self.next_round.is_some_and(|at| at <= now) {
            self.renegotiations_left -= 1;
            self.plan_round();
            self.describe(Which::A, MessageKind::Offer).await;
        }
        let is_trickling = self.trickles.iter().any(|trickle| trickle.next.is_some());
        if !is_trickling && self.bye_at.is_some_and(|at| at <= now) {
            self.pair
                .send(Which::A, MessageKind::Bye, BYE_BYTES, Duration::ZERO)
                .await;
            return Step::Over;
        }
        Step::GoesOn
    }

    /// Further rounds are spread evenly over the rest of the talk.
    fn plan_round(&mut self) {
        let now = Instant::now();
        let rest = self.bye_at.map_or(Duration::ZERO, |bye| bye - now.min(bye));
        let gap = rest / (self.renegotiations_left + 1);
        self.next_round = (self.renegotiations_left > 0).then(|| now + gap);
    }

    async fn take(&mut self, event: Event) -> Step {
        match event {
            Event::Arrived(at, arrived) => self.take_message(at, arrived).await,
            Event::Ended => return Step::Failed("a connection ended"),
            Event::Other => {}
        }
        self.check();
        Step::GoesOn
    }

    async fn take_message(&mut self, at: Which, arrived: Arrived) {
        let index = at as usize;
        match arrived.kind {
            MessageKind::Offer => {
                self.has(index, true);
                self.describe(at, MessageKind::Answer).await;
            }
            MessageKind::Answer => {
                let is_first = !self.descriptions.get(index).copied().unwrap_or_default();
                self.has(index, true);
                if is_first && let Some(offered_at) = self.offered_at {
                    let recorder = &self.line.judge.recorder;
                    recorder.time(Metric::OfferAnswer, offered_at.elapsed(), Duration::ZERO);
                }
            }
            MessageKind::Candidate => self.has(index, false),
            MessageKind::Bye | MessageKind::Message => {}
        }
    }

    fn has(&mut self, index: usize, description: bool) {
        let list = if description {
            &mut self.descriptions
        } else {
            &mut self.candidates
        };
        if let Some(has) = list.get_mut(index) {
            *has = true;
        }
    }

    /// Whether it is set up now.
    fn check(&mut self) {
        let is_complete = self.descriptions.iter().chain(&self.candidates).all(|has| *has);
        if self.set_up_at.is_some() || !is_complete {
            return;
        }
        let now = Instant::now();
        self.set_up_at = Some(now);
        self.bye_at = Some(now + self.line.calls.talk.get());
        self.plan_round();
        let recorder = &self.line.judge.recorder;
        recorder.count(Counter::CallsSetUp);
        recorder.time(Metric::CallSetup, now - self.begun, self.late);
    }
}
