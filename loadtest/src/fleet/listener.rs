//! Hears one worker: its ticks go into [`Merged`], its words to the coordinator, and its end is put into words.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::timeout};

use super::{
    Said,
    member::{Body, Voice},
    merge::{Merged, Opened},
};

/// A worker that says nothing for so long is dead; it should speak every second.
pub(super) const SILENCE_TIME: Duration = Duration::from_secs(30);

/// A worker that is done gets so long to leave.
const HANG_UP_TIME: Duration = Duration::from_secs(5);

/// What a worker says beside its ticks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    Ready,
    Ended,
    Done,
    /// It failed, died or spoke nonsense; what happened to it.
    Lost(String),
}

/// Hears one worker.
pub(super) struct Listener {
    pub(super) number: usize,
    pub(super) merged: Arc<Mutex<Merged>>,
    pub(super) words: mpsc::Sender<(usize, Word)>,
}

impl Listener {
    /// Until it is done or lost. Dropping the future kills a process of ours.
    pub(super) async fn listen(self, mut voice: Voice, mut body: Body) {
        let how = match self.hear(&mut voice, &mut body).await {
            Ok(None) => {
                self.tell(Word::Done).await;
                // Its process has nothing more to do, and an agent is free for the next run once it hangs up.
                let _ = timeout(HANG_UP_TIME, voice.next_text()).await;
                body.end().await;
                return;
            }
            Ok(Some(how)) => how,
            Err(error) => format!("died: {error:#}"),
        };
        self.tell(Word::Lost(how)).await;
    }

    async fn tell(&self, word: Word) {
        // Nobody waits any more: the fleet is being dropped.
        let _ = self.words.send((self.number, word)).await;
    }

    /// Until `Done` (`None`) or until it fails; then how.
    async fn hear(&self, voice: &mut Voice, body: &mut Body) -> anyhow::Result<Option<String>> {
        loop {
            let heard = timeout(SILENCE_TIME, voice.next::<Said>()).await;
            let said = heard.with_context(|| format!("nothing heard for {} s", SILENCE_TIME.as_secs()))??;
            match said {
                Some(Said::Tick(tick)) => self.add(Opened::new(*tick, false)?),
                Some(Said::Ramp(tick)) => self.add(Opened::new(*tick, true)?),
                Some(Said::Ready) => self.tell(Word::Ready).await,
                Some(Said::Ended { stories }) => {
                    self.merged.lock().ended(self.number, stories);
                    self.tell(Word::Ended).await;
                }
                Some(Said::Done) => return Ok(None),
                Some(Said::Failed(why)) => return Ok(Some(format!("failed: {why}"))),
                None => return Ok(Some(format!("died: {}", body.end().await.text))),
            }
        }
    }

    fn add(&self, opened: Opened) {
        self.merged.lock().add(self.number, &opened);
    }
}
