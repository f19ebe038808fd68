//! One call, from connect to bye: offer → answer → candidates each way → renegotiations → bye. One task holds both
//! peers, so that all times are of one clock. `calls` decides when a call starts.

use std::{sync::Arc, time::Duration};

use rand::RngExt as _;
use switchboard_protocol::MessageKind;
use tokio::time::{Instant, sleep_until};

use super::{
    oracle::Oracle,
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

/// Longer than any call.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// What all calls of a run share.
pub(crate) struct CallPlan<D: Driver> {
    pub(crate) driver: D,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) names: Names,
    pub(crate) calls: Calls,
    /// How long the last messages and outcomes may take.
    pub(crate) settle: Duration,
}

/// One side's part of a call.
#[derive(Debug, Default)]
struct Side {
    /// Candidates still to be sent, and when the next one is due.
    candidates_left: u32,
    next_candidate: Option<Instant>,
    /// Whether it has the other side's description and first candidate.
    has_description: bool,
    has_candidate: bool,
}

/// The state of a call.
struct Call<'a, D: Driver> {
    plan: &'a CallPlan<D>,
    pair: Pair<D>,
    begun: Instant,
    late: Duration,
    offer_bytes: usize,
    /// When the first offer was sent.
    offered_at: Instant,
    sides: [Side; 2],
    set_up_at: Option<Instant>,
    renegotiations_left: u32,
    next_renegotiation: Option<Instant>,
    bye_at: Option<Instant>,
}

/// Whether a call goes on after a step, or why it failed.
type Step = Result<bool, &'static str>;

/// Makes a call that was planned to begin `late` ago.
pub(crate) async fn run<D: Driver>(plan: &CallPlan<D>, number: u64, late: Duration) {
    let (recorder, calls) = (&plan.oracle.recorder, &plan.calls);
    recorder.count(Counter::CallsStarted);
    recorder.call_begins();
    let begun = Instant::now();
    let name = PairName {
        population: 'c',
        number,
    };
    match Pair::connect(
        &plan.driver,
        &plan.oracle,
        &plan.names,
        name,
        calls.placement,
        late,
    )
    .await
    {
        Ok(pair) => {
            let [smallest, largest] = calls.offer_bytes;
            let call = Call {
                plan,
                pair,
                begun,
                late,
                offer_bytes: rand::rng().random_range(smallest..=largest),
                offered_at: Instant::now(),
                sides: Default::default(),
                set_up_at: None,
                renegotiations_left: calls.renegotiations,
                next_renegotiation: None,
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
        if let Err(reason) = self.talk().await {
            let recorder = &self.plan.oracle.recorder;
            recorder.count(Counter::CallsFailed);
            recorder.error(&format!("call: {reason}"));
        }
        self.pair.settle(self.plan.settle).await;
        self.pair.close().await;
    }

    async fn talk(&mut self) -> Step {
        if !self.describe(Which::A, MessageKind::Offer).await {
            return Err("the offer could not be sent");
        }
        loop {
            let due = self.due();
            let goes_on = tokio::select! {
                event = self.pair.next() => self.take(event).await?,
                () = sleep_until(due) => self.is_due().await?,
            };
            if !goes_on {
                return Ok(false);
            }
        }
    }

    /// Sends a description. Candidates follow the first one, the first of them at once.
    async fn describe(&mut self, from: Which, kind: MessageKind) -> bool {
        let is_sent = self.pair.send(from, kind, self.offer_bytes, Duration::ZERO).await;
        if self.set_up_at.is_none() {
            let count = self.plan.calls.candidates;
            let side = &mut self.sides[from as usize];
            side.candidates_left = count;
            side.next_candidate = (count > 0).then(Instant::now);
            self.send_candidate(from).await;
        }
        is_sent
    }

    /// Sends this side's next candidate if it is due.
    async fn send_candidate(&mut self, from: Which) {
        let (mean, now) = (self.plan.calls.candidate_gap.get(), Instant::now());
        let side = &mut self.sides[from as usize];
        let Some(planned) = side.next_candidate.filter(|planned| *planned <= now) else {
            return;
        };
        side.candidates_left -= 1;
        // Exponential gaps, counted from the planned moment: a late sender catches up.
        let gap = mean.mul_f64(-(1.0 - rand::rng().random::<f64>()).ln());
        side.next_candidate = (side.candidates_left > 0).then(|| planned + gap);
        let late = now.saturating_duration_since(planned);
        self.pair
            .send(from, MessageKind::Candidate, CANDIDATE_BYTES, late)
            .await;
    }

    fn deadline(&self) -> Instant {
        self.begun + self.plan.calls.deadline.get()
    }

    /// The bye, once no candidates are left to send.
    fn bye_due(&self) -> Option<Instant> {
        let is_trickling = self.sides.iter().any(|side| side.next_candidate.is_some());
        self.bye_at.filter(|_| !is_trickling)
    }

    /// When the next thing is due that does not depend on a message.
    fn due(&self) -> Instant {
        let deadline = self.set_up_at.is_none().then(|| self.deadline());
        let candidates = self.sides.iter().filter_map(|side| side.next_candidate);
        let others = [deadline, self.next_renegotiation, self.bye_due()];
        let next = candidates.chain(others.into_iter().flatten()).min();
        next.unwrap_or_else(|| Instant::now() + NEVER)
    }

    async fn is_due(&mut self) -> Step {
        let now = Instant::now();
        self.send_candidate(Which::A).await;
        self.send_candidate(Which::B).await;
        if self.set_up_at.is_none() {
            return if now >= self.deadline() {
                Err("not set up in time")
            } else {
                Ok(true)
            };
        }
        if self.next_renegotiation.is_some_and(|at| at <= now) {
            self.renegotiations_left -= 1;
            self.plan_renegotiation();
            self.describe(Which::A, MessageKind::Offer).await;
        }
        if self.bye_due().is_some_and(|at| at <= now) {
            self.pair
                .send(Which::A, MessageKind::Bye, BYE_BYTES, Duration::ZERO)
                .await;
            return Ok(false);
        }
        Ok(true)
    }

    /// Renegotiations are spread evenly over the rest of the talk.
    fn plan_renegotiation(&mut self) {
        let now = Instant::now();
        let rest = self.bye_at.map_or(Duration::ZERO, |bye| bye - now.min(bye));
        let gap = rest / (self.renegotiations_left + 1);
        self.next_renegotiation = (self.renegotiations_left > 0).then(|| now + gap);
    }

    async fn take(&mut self, event: Event) -> Step {
        match event {
            Event::Arrived(at, kind) => self.take_message(at, kind).await,
            Event::Ended => return Err("a connection ended"),
            Event::Other => {}
        }
        self.check_set_up();
        Ok(true)
    }

    async fn take_message(&mut self, at: Which, kind: MessageKind) {
        let side = &mut self.sides[at as usize];
        match kind {
            MessageKind::Offer => {
                side.has_description = true;
                self.describe(at, MessageKind::Answer).await;
            }
            MessageKind::Answer => {
                let is_first = !std::mem::replace(&mut side.has_description, true);
                if is_first {
                    let took = self.offered_at.elapsed();
                    self.plan
                        .oracle
                        .recorder
                        .time(Metric::OfferAnswer, took, Duration::ZERO);
                }
            }
            MessageKind::Candidate => side.has_candidate = true,
            MessageKind::Bye | MessageKind::Message => {}
        }
    }

    fn check_set_up(&mut self) {
        let is_complete = |side: &Side| side.has_description && side.has_candidate;
        if self.set_up_at.is_some() || !self.sides.iter().all(is_complete) {
            return;
        }
        let now = Instant::now();
        self.set_up_at = Some(now);
        self.bye_at = Some(now + self.plan.calls.talk.get());
        self.plan_renegotiation();
        let recorder = &self.plan.oracle.recorder;
        recorder.count(Counter::CallsSetUp);
        recorder.time(Metric::CallSetup, now - self.begun, self.late);
    }
}
