//! What a stream's timer does: ends sends at their deadline and transmits again until their outcome, in order.

use std::time::{Duration, Instant};

use switchboard_protocol::{PeerKey, SendOutcome};

use super::{
    outcome,
    pending::FIRST_RETRY_DELAY,
    sender::Sender,
    side::SenderSide,
    stream::Stream,
    transmit::{TransmitOutcome, transmit},
};

/// How soon a stream runs again whose receiver had no room.
pub(crate) const BUSY_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Sends that one run of a stream's timer transmits at most, so a slow receiver is not flooded.
pub(crate) const MAX_SENDS_PER_RUN: usize = 64;

impl SenderSide {
    /// Runs the timers of all streams. Never completes.
    pub(crate) async fn run_retries(&self) {
        loop {
            let stream = self.schedule.next().await;
            let Some(sender) = stream.sender.upgrade() else {
                continue;
            };
            if !sender.outbox().has_stream(&stream.to, stream.number) {
                continue;
            }
            if let Some(at) = self.retry_stream(&*sender, &stream.to, Instant::now()) {
                self.schedule.arm(at, stream);
            }
        }
    }

    /// Ends overdue sends, transmits due ones, and returns when to run again.
    pub(crate) fn retry_stream(&self, sender: &dyn Sender, to: &PeerKey, now: Instant) -> Option<Instant> {
        let cx = &*self.cx;
        let mut slot = sender.outbox().lock();
        let outbox = slot.as_mut()?;
        let overdue = outbox.stream(to).map(|stream| stream.overdue(now));
        for (id, code) in overdue.unwrap_or_default() {
            outcome::report(cx, sender, outbox.finish(id), SendOutcome::Error(code));
        }
        if outbox.drop_if_empty(to) {
            if outbox.is_empty() {
                *slot = None;
            }
            outcome::forget_if_spent(cx, sender, slot.as_deref());
            return None;
        }
        let stream = outbox.stream(to)?;
        if let Some(first) = stream.next_if_all_queued().filter(|first| *first > now) {
            return Some(first);
        }
        let done = self.transmit_due(sender, to, stream, now);
        let delay = if stream.is_held {
            BUSY_RETRY_DELAY
        } else {
            FIRST_RETRY_DELAY
        };
        for (id, outcome) in done {
            outcome::report(cx, sender, outbox.finish(id), outcome);
        }
        Some(now + delay)
    }

    fn transmit_due(
        &self,
        sender: &dyn Sender,
        to: &PeerKey,
        stream: &mut Stream,
        now: Instant,
    ) -> Vec<(u64, SendOutcome)> {
        let mut done = Vec::new();
        let mut transmitted = 0;
        stream.is_held = false;
        // Once one is repeated, those behind it are too: the receiver did not take them before it.
        let mut is_repeating = false;
        for index in 0..stream.pending.len() {
            let Some(pending) = stream.pending.get(index) else {
                break;
            };
            if pending.is_only_stored() {
                continue;
            }
            is_repeating |= pending.is_due(now);
            if !is_repeating {
                continue;
            }
            if transmitted == MAX_SENDS_PER_RUN {
                stream.is_held = true;
                break;
            }
            transmitted += 1;
            let id = pending.id;
            match transmit(&self.cx, sender, to, stream, index, now) {
                TransmitOutcome::Transmitted => {}
                TransmitOutcome::Done(outcome) => done.push((id, outcome)),
                TransmitOutcome::Held => break,
            }
        }
        done
    }
}
