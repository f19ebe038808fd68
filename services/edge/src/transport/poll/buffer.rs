//! What waits for the next poll of one client. A batch stays until the next poll confirms it, so an answer that was lost
//! on its way is given again. Plain state with two wakers.

use std::{
    future::poll_fn,
    task::{Context, Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::timeout;

/// Bytes that wait for the next poll, above which nothing more is written; one frame may go beyond it.
const MAX_WAITING_BYTES: usize = 64 * 1024;

/// The events of one polling client.
#[derive(Default)]
pub(crate) struct PollBuffer(Mutex<State>);

#[derive(Default)]
struct State {
    /// Frames with commas between them.
    waiting: Vec<u8>,
    /// The newest batch, until it is confirmed; likewise.
    given: Vec<u8>,
    batch: u64,
    /// How many polls came; the newest one gets the events.
    polls: u32,
    taken: u32,
    is_closed: bool,
    poll: Option<Waker>,
    connection: Option<Waker>,
}

/// The answer to a poll.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Its number, which the next poll confirms.
    pub(crate) number: u64,
    /// A JSON array of frames.
    pub(crate) frames: Vec<u8>,
}

impl PollBuffer {
    /// Answers a poll that has the batch `confirmed`, within about `wait`. A newer poll ends it at once.
    pub(crate) async fn poll(&self, confirmed: Option<u64>, wait: Duration) -> Batch {
        let (poll, before) = self.begin(confirmed);
        let ready = poll_fn(|cx| self.poll_ready(cx, poll));
        match timeout(wait, ready).await {
            Ok(true) => self.give().unwrap_or(before),
            Ok(false) | Err(_) => before,
        }
    }

    /// The poll's own number, and its answer if nothing comes.
    fn begin(&self, confirmed: Option<u64>) -> (u32, Batch) {
        let mut state = self.0.lock();
        state.polls = state.polls.wrapping_add(1);
        let given = std::mem::take(&mut state.given);
        let is_lost = confirmed.is_some_and(|confirmed| confirmed + 1 == state.batch);
        if is_lost && !given.is_empty() {
            let waiting = std::mem::replace(&mut state.waiting, given);
            append(&mut state.waiting, &waiting);
        }
        let poll = state.polls;
        let nothing = Batch {
            number: state.batch,
            frames: b"[]".to_vec(),
        };
        let wakers = [state.poll.take(), state.connection.take()];
        drop(state);
        wake(wakers);
        (poll, nothing)
    }

    /// Whether poll `number` is still the newest one, once it has something or is not.
    fn poll_ready(&self, cx: &Context<'_>, number: u32) -> Poll<bool> {
        let mut state = self.0.lock();
        if state.polls != number {
            return Poll::Ready(false);
        }
        if !state.waiting.is_empty() || state.is_closed {
            return Poll::Ready(true);
        }
        state.poll = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Everything that waits, as the next batch.
    fn give(&self) -> Option<Batch> {
        let mut state = self.0.lock();
        if state.waiting.is_empty() {
            return None;
        }
        state.given = std::mem::take(&mut state.waiting);
        state.batch += 1;
        state.taken = state.taken.wrapping_add(1);
        let frames = [&b"["[..], &state.given, b"]"].concat();
        let number = state.batch;
        let waker = state.connection.take();
        drop(state);
        wake([waker, None]);
        Some(Batch { number, frames })
    }

    /// Whether another frame may be written.
    pub(super) fn has_room(&self) -> bool {
        self.0.lock().waiting.len() < MAX_WAITING_BYTES
    }

    /// Appends the frame that `write` writes; returns its length in bytes.
    pub(super) fn write(&self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let mut state = self.0.lock();
        if !state.waiting.is_empty() {
            state.waiting.push(b',');
        }
        let start = state.waiting.len();
        write(&mut state.waiting);
        state.waiting.len() - start
    }

    /// Ready when a poll has taken everything.
    pub(super) fn poll_taken(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.waiting.is_empty() {
            return Poll::Ready(());
        }
        state.connection = Some(cx.waker().clone());
        let waker = state.poll.take();
        drop(state);
        wake([waker, None]);
        Poll::Pending
    }

    /// No frame follows.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let waker = state.poll.take();
        drop(state);
        wake([waker, None]);
    }

    /// How many polls came, and how many batches were taken; both wrap around. `cx` is woken by the next poll.
    pub(super) fn moved(&self) -> (u32, u32) {
        let state = self.0.lock();
        (state.polls, state.taken)
    }

    /// Wakes `cx` when the next poll comes.
    pub(super) fn note(&self, cx: &Context<'_>) {
        self.0.lock().connection = Some(cx.waker().clone());
    }
}

fn append(out: &mut Vec<u8>, frames: &[u8]) {
    if !frames.is_empty() {
        out.push(b',');
        out.extend_from_slice(frames);
    }
}

fn wake(wakers: [Option<Waker>; 2]) {
    wakers.into_iter().flatten().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn batch(number: u64, frames: &str) -> Batch {
        Batch {
            number,
            frames: frames.into(),
        }
    }

    fn write(buffer: &PollBuffer, frame: &str) {
        buffer.write(|out| out.extend_from_slice(frame.as_bytes()));
    }

    #[tokio::test]
    async fn a_batch_is_given_again_until_a_poll_confirms_it() {
        let buffer = PollBuffer::default();
        assert_eq!(buffer.poll(None, NOW).await, batch(0, "[]"));
        write(&buffer, "1");
        write(&buffer, "2");
        assert_eq!(buffer.poll(None, NOW).await, batch(1, "[1,2]"));
        write(&buffer, "3");
        assert_eq!(
            buffer.poll(Some(0), NOW).await,
            batch(2, "[1,2,3]"),
            "the answer was lost"
        );
        assert_eq!(buffer.poll(Some(2), NOW).await, batch(2, "[]"));
        write(&buffer, "4");
        assert_eq!(buffer.poll(Some(2), NOW).await, batch(3, "[4]"));
    }

    #[tokio::test]
    async fn a_waiting_poll_gets_the_first_event_and_a_newer_one_ends_it() {
        let buffer = PollBuffer::default();
        let long = Duration::from_secs(60);
        let (older, newer, ()) = tokio::join!(buffer.poll(None, long), buffer.poll(None, long), async {
            write(&buffer, "1");
            buffer.close();
        });
        assert_eq!((older, newer), (batch(0, "[]"), batch(1, "[1]")));
        assert_eq!(
            buffer.poll(Some(1), long).await,
            batch(1, "[]"),
            "nothing comes any more"
        );
    }

    #[test]
    fn a_full_buffer_has_no_room_until_a_poll_takes_it() {
        let buffer = PollBuffer::default();
        write(&buffer, &"x".repeat(MAX_WAITING_BYTES));
        assert!(!buffer.has_room());
        assert!(
            buffer
                .poll_taken(&Context::from_waker(Waker::noop()))
                .is_pending()
        );
        buffer.give();
        assert!(buffer.has_room());
        assert!(buffer.poll_taken(&Context::from_waker(Waker::noop())).is_ready());
    }
}
