//! Sends that are repeated until their final word, and end at their deadline: stream by stream, in order. Not
//! when a stream's turn comes (`schedule`), nor how a send is handed on (`router`).

use std::time::{Duration, Instant};

use switchboard_protocol::PeerKey;
use switchboard_protocol::SendOutcome;

use crate::{
    Router, Session,
    outbox::{FIRST_RETRY, Progress, Stream},
    router::TransmitOutcome,
};

/// How soon a stream whose receiver had no room is tried again.
const BUSY_RETRY: Duration = Duration::from_millis(20);

/// Sends of one stream that one look of its timer hands on, so that a full receiver is not flooded.
const SENDS_PER_LOOK: usize = 64;

impl Router {
    /// Looks after streams when their time comes, for ever.
    pub(crate) async fn run_retries(&self) {
        loop {
            let stream = self.schedule.next().await;
            let Some(sender) = stream.sender.upgrade() else {
                continue;
            };
            if let Some(at) = self.look_after(&sender, &stream.to, Instant::now()) {
                self.schedule.arm(at, stream);
            }
        }
    }

    /// Ends what is past its deadline, repeats what is due, and says when to look again.
    pub(crate) fn look_after(&self, sender: &Session, to: &PeerKey, now: Instant) -> Option<Instant> {
        let mut slot = sender.outbox.lock();
        let outbox = slot.as_mut()?;
        for (id, code) in outbox
            .stream(to)
            .map(|stream| stream.overdue(now))
            .unwrap_or_default()
        {
            self.finish_locked(sender, outbox.finish(id), SendOutcome::Error(code));
        }
        if outbox.drop_if_empty(to) {
            if outbox.is_empty() {
                *slot = None;
            }
            self.forget_if_spent(sender, slot.as_deref());
            return None;
        }
        let stream = outbox.stream(to)?;
        if let Some(first) = stream.next_if_all_queued().filter(|first| *first > now) {
            return Some(first);
        }
        let done = self.repeat_due(sender, to, stream, now);
        let next = if stream.is_held { BUSY_RETRY } else { FIRST_RETRY };
        for (id, word) in done {
            self.finish_locked(sender, outbox.finish(id), word);
        }
        Some(now + next)
    }

    fn repeat_due(
        &self,
        sender: &Session,
        to: &PeerKey,
        stream: &mut Stream,
        now: Instant,
    ) -> Vec<(u64, SendOutcome)> {
        let mut done = Vec::new();
        let mut handed = 0;
        stream.is_held = false;
        // Once one is repeated, those behind it are too: the receiver did not take them before it.
        let mut repeating = false;
        for index in 0..stream.pending.len() {
            let Some(pending) = stream.pending.get(index) else {
                break;
            };
            repeating |= match pending.progress {
                Progress::Held => true,
                Progress::Sent { repeat_at } => repeat_at <= now,
                Progress::Queued { repeat_at: None } => continue,
                Progress::Queued { repeat_at: Some(at) } => at <= now,
            };
            if !repeating {
                continue;
            }
            if handed == SENDS_PER_LOOK {
                stream.is_held = true;
                break;
            }
            handed += 1;
            let id = pending.id;
            match self.transmit(sender, to, stream, index, now) {
                TransmitOutcome::On => {}
                TransmitOutcome::Done(word) => done.push((id, word)),
                TransmitOutcome::NotNow => break,
            }
        }
        done
    }
}
