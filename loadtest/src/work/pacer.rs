//! Starts at their planned moments, kept to some 60 µs by a thread: tokio's timers round to a millisecond, which
//! would send in bursts and hide what a single message costs. `schedule` decides what the moments are.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::Instant,
};

use crate::record::{Counter, Metric, Recorder};

/// Starts that a reader may be behind before further ones are dropped.
pub(crate) const MAX_BACKLOG: usize = 4096;

/// Planned starts, to be read one by one. Each is counted, and so is how late it is.
pub(crate) struct Starts {
    moments: mpsc::Receiver<Duration>,
    load_start: Instant,
    recorder: Arc<Recorder>,
}

impl Starts {
    /// Gives each of `moments`, counted from `load_start`, to one of `readers` in turn. A start is dropped and counted
    /// when its reader is `backlog` starts behind. The thread ends with the last moment or the last reader.
    pub(crate) fn shared(
        moments: impl Iterator<Item = Duration> + Send + 'static,
        load_start: Instant,
        recorder: &Arc<Recorder>,
        readers: usize,
        backlog: usize,
    ) -> Vec<Self> {
        let (senders, starts): (Vec<_>, Vec<_>) = (0..readers)
            .map(|_| {
                let (sender, moments) = mpsc::channel(backlog.max(1));
                let recorder = Arc::clone(recorder);
                let starts = Self {
                    moments,
                    load_start,
                    recorder,
                };
                (sender, starts)
            })
            .unzip();
        let recorder = Arc::clone(recorder);
        // Owner: the channels. The thread ends with the last moment or the last reader.
        std::thread::spawn(move || pace(moments, load_start.into_std(), &senders, &recorder));
        starts
    }

    /// The next start: how late it is. `None` after the last one. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Duration> {
        let at = self.moments.recv().await?;
        let late = self.load_start.elapsed().saturating_sub(at);
        self.recorder.count(Counter::Planned);
        self.recorder.time(Metric::StartDelay, late, Duration::ZERO);
        Some(late)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread's only work is to sleep precisely"
)]
fn pace(
    moments: impl Iterator<Item = Duration>,
    load_start: std::time::Instant,
    readers: &[mpsc::Sender<Duration>],
    recorder: &Recorder,
) {
    for (at, reader) in moments.zip(readers.iter().cycle()) {
        if let Some(wait) = at.checked_sub(load_start.elapsed()) {
            std::thread::sleep(wait);
        }
        match reader.try_send(at) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) if readers.iter().all(mpsc::Sender::is_closed) => return,
            Err(_) => {
                recorder.count(Counter::Planned);
                recorder.count(Counter::Dropped);
            }
        }
    }
}
