//! Reads the lines of one worker: its ticks go into [`Merged`], its milestones to the coordinator.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::timeout};

use super::{
    Report,
    handle::{Output, WorkerProcess, end},
    merge::{DecodedTick, Merged},
};

/// A worker that reports nothing for so long is dead; it should report every second.
pub(super) const SILENCE_TIME: Duration = Duration::from_secs(30);

/// A worker that is done gets so long to leave.
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// How far a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Milestone {
    Ready,
    Ended,
    Done,
}

/// What a listener tells the coordinator: the worker's number, and how far it is or why it is lost.
pub(super) type Progress = (usize, anyhow::Result<Milestone>);

/// Listens to one worker.
pub(super) struct Listener {
    pub(super) number: usize,
    pub(super) merged: Arc<Mutex<Merged>>,
    pub(super) progress: mpsc::Sender<Progress>,
}

impl Listener {
    /// Until the worker is done or lost. Dropping the future kills a process of this machine.
    pub(super) async fn listen(self, mut output: Output, mut process: Option<WorkerProcess>) {
        loop {
            let milestone = self.next(&mut output, process.as_mut()).await;
            let is_last = !matches!(milestone, Ok(Milestone::Ready | Milestone::Ended));
            let is_done = milestone.is_ok();
            // The receiver is gone while the fleet is being dropped.
            let _ = self.progress.send((self.number, milestone)).await;
            if is_last && is_done {
                // Its process has nothing more to do. An agent is free for the next run once it closes the connection.
                let _ = timeout(LEAVE_TIME, output.read_text()).await;
                end(process.as_mut()).await;
            }
            if is_last {
                return;
            }
        }
    }

    /// Takes ticks in until the next milestone.
    async fn next(
        &self,
        output: &mut Output,
        process: Option<&mut WorkerProcess>,
    ) -> anyhow::Result<Milestone> {
        loop {
            let read = timeout(SILENCE_TIME, output.read::<Report>()).await;
            let read = read.map_err(|_| anyhow!("no report for {} s", SILENCE_TIME.as_secs()));
            match read.flatten().context("died")? {
                Some(Report::Tick(tick)) => self.add(DecodedTick::new(*tick, false))?,
                Some(Report::Ramp(tick)) => self.add(DecodedTick::new(*tick, true))?,
                Some(Report::Ready) => return Ok(Milestone::Ready),
                Some(Report::Ended { violations }) => {
                    self.merged.lock().ended(self.number, violations);
                    return Ok(Milestone::Ended);
                }
                Some(Report::Done) => return Ok(Milestone::Done),
                Some(Report::Failed(why)) => bail!("failed: {why}"),
                None => bail!("died: {}", end(process).await.1),
            }
        }
    }

    fn add(&self, tick: anyhow::Result<DecodedTick>) -> anyhow::Result<()> {
        self.merged.lock().add(self.number, &tick.context("died")?);
        Ok(())
    }
}
