//! A worker: obeys the coordinator's orders and says what it sees. What the work is, is not its business.

use std::{any::Any, future::Future, os::fd::AsFd as _, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::unix::pipe,
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Assignment, Order, Said,
    clock::Clock,
    lines::{Lines, say},
};
use crate::{
    observe::{CpuMark, own},
    record::Recorder,
};

/// Between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// Between two looks at the connections.
const LOOK: Duration = Duration::from_millis(100);

/// Lines that wait for a coordinator that does not read. While there is no room, no tick is taken: the next one
/// then has it all.
const MAX_OUTBOX: usize = 16;

/// What the work says in its life: ready, ended.
const MAX_WORDS: usize = 4;

/// The last words may take so long to get out.
const FLUSH_TIME: Duration = Duration::from_secs(5);

/// The work of one worker.
pub(crate) trait Work: Send + 'static {
    /// Connects all that has to be there before the load.
    fn prepare(
        &mut self,
        assignment: Assignment,
        recorder: Arc<Recorder>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Makes the load, which begins at `start` (now, or a moment ago), and waits until it has settled. What the
    /// oracle has to tell comes back.
    fn run(&mut self, start: Instant) -> impl Future<Output = anyhow::Result<Vec<String>>> + Send;

    /// Closes all connections.
    fn finish(&mut self) -> impl Future<Output = ()> + Send;
}

/// [`serve`] over this process's standard input and output, which have to be pipes. Nothing else may be printed.
///
/// # Errors
/// As [`serve`], and when they are no pipes.
pub(crate) async fn serve_stdio(work: impl Work) -> anyhow::Result<()> {
    // Not tokio's own standard input: its thread would keep the process from ending.
    let input = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .and_then(pipe::Receiver::from_owned_fd);
    let output = std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(pipe::Sender::from_owned_fd);
    let hint = "a worker is started by a coordinator, with pipes";
    serve(input.context(hint)?, output.context(hint)?, work).await
}

/// Does what the coordinator says, until it is done or the coordinator is gone: then everything is dropped.
///
/// # Errors
/// When the work fails or panics (the coordinator is told), or the coordinator speaks nonsense.
pub(crate) async fn serve<R, W>(read: R, write: W, work: impl Work) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (outbox, said) = mpsc::channel(MAX_OUTBOX);
    let mut mouth = AbortOnDropHandle::new(tokio::spawn(speak(write, said)));
    let outcome = obey(Lines::new(read, "the coordinator"), &outbox, work).await;
    match &outcome {
        Ok(End::Gone) => return Ok(()),
        Ok(End::Done) => {}
        Err(error) => {
            // If this finds no way out, the caller still has the error.
            let _ = timeout(FLUSH_TIME, outbox.send(Said::Failed(format!("{error:#}")))).await;
        }
    }
    drop(outbox);
    let flushed = timeout(FLUSH_TIME, &mut mouth).await;
    outcome?;
    flushed.map_err(|_| anyhow!("the coordinator does not read"))??
}

enum End {
    Done,
    Gone,
}

async fn speak<W: AsyncWrite + Unpin>(mut write: W, mut said: mpsc::Receiver<Said>) -> anyhow::Result<()> {
    while let Some(what) = said.recv().await {
        say(&mut write, &what).await?;
    }
    Ok(())
}

async fn obey<R: AsyncRead + Unpin>(
    mut orders: Lines<R>,
    outbox: &mpsc::Sender<Said>,
    work: impl Work,
) -> anyhow::Result<End> {
    let assignment = match orders.next().await? {
        None => return Ok(End::Gone),
        Some(Order::Prepare(assignment)) => *assignment,
        Some(Order::Start { .. } | Order::Finish) => bail!("the first order has to be `prepare`"),
    };
    let recorder = Arc::new(Recorder::default());
    let (words, mut heard) = mpsc::channel(MAX_WORDS);
    let (start, started) = oneshot::channel();
    let (finish, finished) = oneshot::channel();
    let mut start = Some(start);
    let mut finish = Some(finish);
    let mut eyes = Eyes {
        recorder: Arc::clone(&recorder),
        clock: Clock::new(),
        own: CpuMark::now(),
    };
    let mut hands = AbortOnDropHandle::new(tokio::spawn(labour(
        work, assignment, recorder, words, started, finished,
    )));
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut ticks = interval_at(Instant::now() + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            order = orders.next() => match order? {
                None => return Ok(End::Gone),
                Some(Order::Prepare(_)) => bail!("a second `prepare`"),
                Some(Order::Start { at_unix_ms }) => {
                    let Some(start) = start.take() else { bail!("a second `start`") };
                    // What was seen so far has times that count from `prepare`.
                    tell(outbox, eyes.tick()?).await?;
                    let at = eyes.clock.start_at(at_unix_ms)?;
                    // Ticks end at whole seconds of the load, so that those of all workers fall together.
                    ticks = interval_at(at, TICK);
                    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                    looks = interval_at(at, LOOK);
                    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                    // An error means that the work is over, which is told below.
                    let _ = start.send(at);
                }
                Some(Order::Finish) => {
                    let Some(finish) = finish.take() else { bail!("a second `finish`") };
                    let _ = finish.send(());
                }
            },
            Some(word) = heard.recv() => tell(outbox, word).await?,
            ended = &mut hands => {
                while let Ok(word) = heard.try_recv() {
                    tell(outbox, word).await?;
                }
                ended.map_err(|error| match error.try_into_panic() {
                    Ok(panic) => anyhow!("panicked: {}", panic_text(&*panic)),
                    Err(error) => anyhow!(error),
                })??;
                tell(outbox, eyes.tick()?).await?;
                tell(outbox, Said::Done).await?;
                return Ok(End::Done);
            }
            _ = looks.tick() => eyes.recorder.sample(eyes.clock.now_ms()),
            _ = ticks.tick() => match outbox.try_reserve() {
                Ok(room) => room.send(eyes.tick()?),
                Err(mpsc::error::TrySendError::Full(())) => {}
                Err(mpsc::error::TrySendError::Closed(())) => bail!("the coordinator cannot be written to"),
            },
        }
    }
}

async fn tell(outbox: &mpsc::Sender<Said>, what: Said) -> anyhow::Result<()> {
    let told = outbox.send(what).await;
    told.map_err(|_| anyhow!("the coordinator cannot be written to"))
}

/// The work from its beginning to its end. A dropped `started` or `finished` ends it.
async fn labour(
    mut work: impl Work,
    assignment: Assignment,
    recorder: Arc<Recorder>,
    words: mpsc::Sender<Said>,
    started: oneshot::Receiver<Instant>,
    finished: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    work.prepare(assignment, recorder).await?;
    words.send(Said::Ready).await?;
    let start = started.await?;
    sleep_until(start).await;
    let stories = work.run(start).await?;
    words.send(Said::Ended { stories }).await?;
    finished.await?;
    work.finish().await;
    Ok(())
}

struct Eyes {
    recorder: Arc<Recorder>,
    clock: Clock,
    own: CpuMark,
}

impl Eyes {
    fn tick(&mut self) -> anyhow::Result<Said> {
        let tick = Box::new(self.recorder.tick(self.clock.now_ms(), own(&mut self.own))?);
        Ok(if self.clock.knows_the_start() {
            Said::Tick(tick)
        } else {
            Said::Ramp(tick)
        })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

    use super::*;
    use crate::fleet::{
        clock::unix_ms,
        testing::{FakeWork, Fate, assignment},
    };

    type Ends = (
        Lines<ReadHalf<DuplexStream>>,
        WriteHalf<DuplexStream>,
        AbortOnDropHandle<anyhow::Result<()>>,
    );

    fn hire(fate: Fate) -> Ends {
        let (here, there) = duplex(1 << 20);
        let (read, write) = split(there);
        let worker = AbortOnDropHandle::new(tokio::spawn(serve(read, write, FakeWork::new(fate))));
        let (read, write) = split(here);
        (Lines::new(read, "the worker"), write, worker)
    }

    async fn next_word(lines: &mut Lines<ReadHalf<DuplexStream>>) -> Option<Said> {
        loop {
            let said = timeout(Duration::from_secs(10), lines.next())
                .await
                .unwrap()
                .unwrap();
            if !matches!(said, Some(Said::Tick(_) | Said::Ramp(_))) {
                return said;
            }
        }
    }

    #[tokio::test]
    async fn a_worker_prepares_runs_and_finishes_and_tells_all_it_saw() {
        let (mut lines, mut write, worker) = hire(Fate::Well);
        say(&mut write, &Order::Prepare(Box::new(assignment())))
            .await
            .unwrap();
        assert!(matches!(next_word(&mut lines).await, Some(Said::Ready)));
        let start = Order::Start {
            at_unix_ms: unix_ms() + 50,
        };
        say(&mut write, &start).await.unwrap();
        let mut ramp = 0;
        let mut load = 0;
        loop {
            match lines.next().await.unwrap().unwrap() {
                Said::Ramp(tick) => ramp += tick.counts.values().sum::<u64>(),
                Said::Tick(tick) => load += tick.counts.values().sum::<u64>(),
                Said::Ended { stories } => {
                    assert_eq!(stories, ["worker 0 has a story"]);
                    say(&mut write, &Order::Finish).await.unwrap();
                }
                Said::Done => break,
                other @ (Said::Ready | Said::Failed(_)) => panic!("{other:?}"),
            }
        }
        assert_eq!((ramp, load), (1, 10));
        worker.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_end_of_the_orders_stops_a_worker_at_once() {
        let (mut lines, mut write, worker) = hire(Fate::NeverReady);
        say(&mut write, &Order::Prepare(Box::new(assignment())))
            .await
            .unwrap();
        // The first tick shows that it is at work.
        assert!(matches!(lines.next().await.unwrap(), Some(Said::Ramp(_))));
        drop((lines, write));
        timeout(Duration::from_secs(5), worker)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn a_panic_in_the_work_is_told() {
        let (mut lines, mut write, worker) = hire(Fate::PanicsPreparing);
        say(&mut write, &Order::Prepare(Box::new(assignment())))
            .await
            .unwrap();
        let said = next_word(&mut lines).await;
        assert!(matches!(said, Some(Said::Failed(text)) if text == "panicked: no hands"));
        assert!(worker.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_start_far_away_is_told_as_a_matter_of_clocks() {
        let (mut lines, mut write, _worker) = hire(Fate::Well);
        say(&mut write, &Order::Prepare(Box::new(assignment())))
            .await
            .unwrap();
        assert!(matches!(next_word(&mut lines).await, Some(Said::Ready)));
        say(&mut write, &Order::Start { at_unix_ms: 1_000 })
            .await
            .unwrap();
        let said = next_word(&mut lines).await;
        assert!(matches!(said, Some(Said::Failed(text)) if text.contains("do the clocks agree")));
    }
}
