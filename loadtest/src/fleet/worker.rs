//! A worker: follows the coordinator's orders and reports what it records. It does not know the work itself.

use std::{any::Any, os::fd::AsFd as _, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::unix::pipe,
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Assignment, Order, Report,
    clock::Clock,
    lines::{self, Lines, MAX_LINE_BYTES},
};
use crate::{
    observe::{CpuMark, own},
    record::Recorder,
};

/// Between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// Between two samples of the connections.
const SAMPLE: Duration = Duration::from_millis(100);

/// Lines that wait for a coordinator that does not read. While there is no room, no tick is taken: the next one
/// then covers the time.
const MAX_OUTBOX: usize = 16;

/// Reports of the work in its life, and commands to it.
const MAX_STEPS: usize = 4;

/// The last lines may take so long to be written.
const FLUSH_TIME: Duration = Duration::from_secs(5);

/// The work of one worker.
pub(crate) trait Work: Send + 'static {
    /// Connects everything that must be there before the load.
    fn prepare(
        &mut self,
        assignment: Assignment,
        recorder: Arc<Recorder>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Makes the load, which begins at `start` (now, or a moment ago), and waits until it has settled. Returns
    /// descriptions of the oracle's first violations.
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

/// Follows the coordinator's orders, until it is done or the coordinator is gone: then everything is dropped.
///
/// # Errors
/// When the work fails or panics (the coordinator gets a report), or the coordinator gives a wrong order.
pub(crate) async fn serve<R, W>(read: R, mut write: W, work: impl Work) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (outbox, mut reports) = mpsc::channel(MAX_OUTBOX);
    let mut writer = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            lines::write(&mut write, &report).await?;
        }
        anyhow::Ok(())
    }));
    let orders = Lines::new(read, "the coordinator", MAX_LINE_BYTES);
    let outcome = follow(orders, &outbox, work).await;
    if matches!(outcome, Ok(End::Gone)) {
        return Ok(());
    }
    if let Err(error) = &outcome {
        // If this cannot be written, the caller still has the error.
        let _ = timeout(FLUSH_TIME, outbox.send(Report::Failed(format!("{error:#}")))).await;
    }
    drop(outbox);
    let flushed = timeout(FLUSH_TIME, &mut writer).await;
    outcome?;
    flushed.map_err(|_| anyhow!("the coordinator does not read"))??
}

enum End {
    Done,
    /// The coordinator is gone.
    Gone,
}

async fn follow<R: AsyncRead + Unpin>(
    mut orders: Lines<R>,
    outbox: &mpsc::Sender<Report>,
    work: impl Work,
) -> anyhow::Result<End> {
    let assignment = match orders.read().await? {
        None => return Ok(End::Gone),
        Some(Order::Prepare(assignment)) => *assignment,
        Some(Order::Start { .. } | Order::Finish) => bail!("the first order has to be `prepare`"),
    };
    let recorder = Arc::new(Recorder::default());
    let mut reporter = Reporter {
        recorder: Arc::clone(&recorder),
        clock: Clock::new(),
        own: CpuMark::now(),
    };
    let (steps, mut reports) = mpsc::channel(MAX_STEPS);
    let (commands, received) = mpsc::channel(MAX_STEPS);
    let work = perform(work, assignment, recorder, steps, received);
    let mut work = AbortOnDropHandle::new(tokio::spawn(work));
    let (mut samples, mut ticks) = (every(SAMPLE, Instant::now()), every(TICK, Instant::now() + TICK));
    loop {
        tokio::select! {
            order = orders.read() => {
                let command = match order? {
                    None => return Ok(End::Gone),
                    Some(Order::Prepare(_)) => bail!("a second `prepare`"),
                    Some(Order::Start { .. }) if reporter.clock.knows_the_start() => bail!("a second `start`"),
                    Some(Order::Start { at_unix_ms }) => {
                        // The times of what was recorded so far count from `prepare`.
                        send(outbox, reporter.tick()?).await?;
                        let at = reporter.clock.start_at(at_unix_ms)?;
                        // Ticks end at whole seconds of the load, so that those of all workers fall together.
                        (samples, ticks) = (every(SAMPLE, at), every(TICK, at));
                        Command::Start(at)
                    }
                    Some(Order::Finish) => Command::Finish,
                };
                // An error means that the work is over, which is reported below.
                let _ = commands.try_send(command);
            },
            Some(report) = reports.recv() => send(outbox, report).await?,
            ended = &mut work => {
                while let Ok(report) = reports.try_recv() {
                    send(outbox, report).await?;
                }
                ended.map_err(|error| match error.try_into_panic() {
                    Ok(panic) => anyhow!("panicked: {}", panic_text(&*panic)),
                    Err(error) => anyhow!(error),
                })??;
                send(outbox, reporter.tick()?).await?;
                send(outbox, Report::Done).await?;
                return Ok(End::Done);
            }
            _ = samples.tick() => reporter.recorder.sample(reporter.clock.now_ms()),
            _ = ticks.tick() => match outbox.try_reserve() {
                Ok(room) => room.send(reporter.tick()?),
                Err(mpsc::error::TrySendError::Full(())) => {}
                Err(mpsc::error::TrySendError::Closed(())) => bail!("the coordinator cannot be written to"),
            },
        }
    }
}

fn every(period: Duration, first: Instant) -> Interval {
    let mut interval = interval_at(first, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

async fn send(outbox: &mpsc::Sender<Report>, report: Report) -> anyhow::Result<()> {
    let sent = outbox.send(report).await;
    sent.map_err(|_| anyhow!("the coordinator cannot be written to"))
}

/// A command to work that has prepared.
#[derive(Clone, Copy)]
enum Command {
    Start(Instant),
    Finish,
}

/// The work from its beginning to its end. It ends early when `commands` is closed.
async fn perform(
    mut work: impl Work,
    assignment: Assignment,
    recorder: Arc<Recorder>,
    steps: mpsc::Sender<Report>,
    mut commands: mpsc::Receiver<Command>,
) -> anyhow::Result<()> {
    work.prepare(assignment, recorder).await?;
    steps.send(Report::Ready).await?;
    let Some(Command::Start(start)) = commands.recv().await else {
        bail!("`finish` came before `start`");
    };
    sleep_until(start).await;
    let violations = work.run(start).await?;
    steps.send(Report::Ended { violations }).await?;
    commands.recv().await.context("the coordinator is gone")?;
    work.finish().await;
    Ok(())
}

struct Reporter {
    recorder: Arc<Recorder>,
    clock: Clock,
    own: CpuMark,
}

impl Reporter {
    fn tick(&mut self) -> anyhow::Result<Report> {
        let tick = Box::new(self.recorder.tick(self.clock.now_ms(), own(&mut self.own))?);
        Ok(if self.clock.knows_the_start() {
            Report::Tick(tick)
        } else {
            Report::Ramp(tick)
        })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

    use super::*;
    use crate::fleet::{
        clock::unix_ms,
        testing::{FakeWork, Fate, assignment},
    };

    struct Harness {
        lines: Lines<ReadHalf<DuplexStream>>,
        write: WriteHalf<DuplexStream>,
        worker: AbortOnDropHandle<anyhow::Result<()>>,
    }

    /// A worker that has got its first order.
    async fn prepared(fate: Fate) -> Harness {
        let (here, there) = duplex(1 << 20);
        let (read, write) = split(there);
        let worker = AbortOnDropHandle::new(tokio::spawn(serve(read, write, FakeWork::new(fate))));
        let (read, write) = split(here);
        let lines = Lines::new(read, "the worker", MAX_LINE_BYTES);
        let mut harness = Harness { lines, write, worker };
        harness.order(Order::Prepare(Box::new(assignment()))).await;
        harness
    }

    impl Harness {
        async fn order(&mut self, order: Order) {
            lines::write(&mut self.write, &order).await.unwrap();
        }

        async fn next(&mut self) -> Report {
            let read = timeout(Duration::from_secs(10), self.lines.read()).await;
            read.unwrap().unwrap().unwrap()
        }

        async fn next_milestone(&mut self) -> Report {
            loop {
                let report = self.next().await;
                if !matches!(report, Report::Tick(_) | Report::Ramp(_)) {
                    return report;
                }
            }
        }
    }

    #[tokio::test]
    async fn a_worker_prepares_runs_and_finishes_and_reports_all_it_recorded() {
        let mut worker = prepared(Fate::Well).await;
        assert!(matches!(worker.next_milestone().await, Report::Ready));
        worker
            .order(Order::Start {
                at_unix_ms: unix_ms() + 50,
            })
            .await;
        let (mut ramp, mut load) = (0, 0);
        loop {
            match worker.next().await {
                Report::Ramp(tick) => ramp += tick.counts.values().sum::<u64>(),
                Report::Tick(tick) => load += tick.counts.values().sum::<u64>(),
                Report::Ended { violations } => {
                    assert_eq!(violations, ["a violation at worker 0"]);
                    worker.order(Order::Finish).await;
                }
                Report::Done => break,
                other @ (Report::Ready | Report::Failed(_)) => panic!("{other:?}"),
            }
        }
        assert_eq!((ramp, load), (1, 10));
        worker.worker.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_end_of_the_orders_stops_a_worker_at_once() {
        let mut harness = prepared(Fate::NeverReady).await;
        // The first tick shows that it is at work.
        assert!(matches!(harness.next().await, Report::Ramp(_)));
        drop((harness.lines, harness.write));
        let ended = timeout(Duration::from_secs(5), harness.worker).await;
        ended.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_panic_and_a_start_far_away_are_reported() {
        let mut worker = prepared(Fate::PanicsPreparing).await;
        let report = worker.next_milestone().await;
        assert!(matches!(report, Report::Failed(text) if text == "panicked: as planned"));
        assert!(worker.worker.await.unwrap().is_err());
        let mut worker = prepared(Fate::Well).await;
        assert!(matches!(worker.next_milestone().await, Report::Ready));
        worker.order(Order::Start { at_unix_ms: 1_000 }).await;
        let report = worker.next_milestone().await;
        assert!(matches!(report, Report::Failed(text) if text.contains("do the clocks agree")));
    }
}
