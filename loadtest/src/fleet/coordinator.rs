//! The coordinator's side of a run: workers are started or connected to, prepared, started together, listened to and
//! ended. What they record goes into [`Merged`]; a worker that fails or dies is an error that names it.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use switchboard_protocol::Secret;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Assignment, Key, Order, Program,
    clock::unix_ms,
    deadline::deadline,
    handle::{Handle, Input, Output, WorkerProcess},
    handshake, lines,
    listener::{Listener, Milestone, Progress},
    merge::Merged,
    remote,
};

/// Workers or connections to agents at most.
pub(crate) const MAX_WORKERS: usize = 256;

/// Before the start of a load by local workers: all have to get the order.
const LOCAL_LEAD: Duration = Duration::from_millis(500);

/// The same for agents.
const REMOTE_LEAD: Duration = Duration::from_secs(2);

/// An order may take so long to be written.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// Milestones of one worker: ready, ended, done; or its failure.
const MILESTONES_PER_WORKER: usize = 4;

/// Where the workers come from.
#[derive(Debug, Clone)]
pub(crate) enum WorkerSource {
    /// Worker processes of this machine.
    Local {
        /// How many.
        workers: usize,
        /// What they run.
        program: Program,
    },
    /// Agents on other machines.
    Remote {
        /// Their addresses, as `host:port`.
        agents: Vec<String>,
        /// Workers over all agents, in turn; one each if fewer.
        workers: usize,
        /// The secret that the agents know too.
        secret: Secret,
    },
}

/// The workers of one run. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Fleet {
    workers: Vec<Worker>,
    merged: Arc<Mutex<Merged>>,
    progress: mpsc::Receiver<Progress>,
    sender: mpsc::Sender<Progress>,
    lead: Duration,
    /// When `Prepare` was sent, and when the load starts.
    prepared: Instant,
    start: Instant,
}

struct Worker {
    name: String,
    assignment: Assignment,
    input: Input,
    clock_ahead_ms: i64,
    /// Until there is a listener.
    unheard: Option<(Output, Option<WorkerProcess>)>,
    listener: Option<AbortOnDropHandle<()>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Fleet {
    /// Starts workers or connects to agents. `assignment_of` gives the assignment of each. `number` and `of` are set
    /// here, and the key of an assignment that goes over the network is [`Key::Own`].
    ///
    /// # Errors
    /// When a worker cannot be started, or an agent is not there, refuses or has another secret.
    pub(crate) async fn start(
        source: WorkerSource,
        assignment_of: impl Fn(usize) -> Assignment,
    ) -> anyhow::Result<Self> {
        match source {
            WorkerSource::Local { workers, program } => {
                check_count(workers)?;
                let handles = (0..workers).map(|number| Handle::spawn(&program, number));
                let handles = handles.collect::<anyhow::Result<Vec<_>>>()?;
                Ok(Self::of(handles, LOCAL_LEAD, assignment_of))
            }
            WorkerSource::Remote {
                agents,
                workers,
                secret,
            } => {
                ensure!(!agents.is_empty(), "no agents are named");
                let workers = workers.max(agents.len());
                check_count(workers)?;
                let run = handshake::nonce()?;
                let numbered = agents.iter().cycle().take(workers).enumerate();
                let handles = numbered.map(|(number, agent)| remote::connect(agent, number, &secret, &run));
                let handles = try_join_all(handles).await?;
                let keyless = |number| Assignment {
                    key: Key::Own,
                    ..assignment_of(number)
                };
                Ok(Self::of(handles, REMOTE_LEAD, keyless))
            }
        }
    }

    /// Over workers that are there already.
    fn of(handles: Vec<Handle>, lead: Duration, assignment_of: impl Fn(usize) -> Assignment) -> Self {
        let of = handles.len();
        let (sender, progress) = mpsc::channel(of.max(1) * MILESTONES_PER_WORKER);
        let workers = handles.into_iter().enumerate().map(|(number, handle)| Worker {
            name: handle.name,
            assignment: Assignment {
                number,
                of,
                ..assignment_of(number)
            },
            input: handle.input,
            clock_ahead_ms: handle.clock_ahead_ms,
            unheard: Some((handle.output, handle.process)),
            listener: None,
        });
        Self {
            workers: workers.collect(),
            merged: Arc::new(Mutex::new(Merged::new(of))),
            progress,
            sender,
            lead,
            prepared: Instant::now(),
            start: Instant::now(),
        }
    }

    /// What was recorded so far, kept up to date in the background. Emptied by [`Fleet::finish`].
    pub(crate) fn merged(&self) -> Arc<Mutex<Merged>> {
        Arc::clone(&self.merged)
    }

    /// Has all workers connect everything that must be there before the load, and waits until all are ready.
    ///
    /// # Errors
    /// When a worker fails, dies, or takes too long.
    pub(crate) async fn prepare(&mut self) -> anyhow::Result<()> {
        self.prepared = Instant::now();
        for (number, worker) in self.workers.iter_mut().enumerate() {
            let Some((output, process)) = worker.unheard.take() else {
                bail!("a fleet is prepared once");
            };
            let (merged, progress) = (Arc::clone(&self.merged), self.sender.clone());
            let listener = Listener {
                number,
                merged,
                progress,
            }
            .listen(output, process);
            worker.listener = Some(AbortOnDropHandle::new(tokio::spawn(listener)));
            let order = Order::Prepare(Box::new(worker.assignment.clone()));
            worker.give(&order).await?;
        }
        self.await_all(Milestone::Ready, self.prepared).await
    }

    /// Starts the load, at the same moment everywhere, a little in the future.
    ///
    /// # Errors
    /// When an order cannot be written.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<Instant> {
        let lead_ms = u64::try_from(self.lead.as_millis()).unwrap_or(0);
        let at_unix_ms = unix_ms().saturating_add(lead_ms);
        self.start = Instant::now() + self.lead;
        self.merged
            .lock()
            .begins(self.start.saturating_duration_since(self.prepared));
        for worker in &mut self.workers {
            let at_unix_ms = at_unix_ms.saturating_add_signed(worker.clock_ahead_ms);
            worker.give(&Order::Start { at_unix_ms }).await?;
        }
        Ok(self.start)
    }

    /// Waits until the load has ended and settled everywhere.
    ///
    /// # Errors
    /// When a worker fails or dies (the run is invalid then), or takes far too long.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        self.await_all(Milestone::Ended, self.start).await
    }

    /// Has all workers close their connections and end, and gives what they recorded.
    ///
    /// # Errors
    /// As [`Fleet::ended`].
    pub(crate) async fn finish(mut self) -> anyhow::Result<Merged> {
        for worker in &mut self.workers {
            worker.give(&Order::Finish).await?;
        }
        self.await_all(Milestone::Done, Instant::now()).await?;
        for worker in self.workers.drain(..) {
            drop(worker.input);
            if let Some(listener) = worker.listener {
                // It waits a little for the end of the worker: the next run has the machine for itself.
                let _ = listener.await;
            }
        }
        let mut merged = std::mem::take(&mut *self.merged.lock());
        merged.close(false);
        Ok(merged)
    }

    /// Ends all workers at once, and gives what they recorded.
    pub(crate) fn abandon(self) -> Merged {
        let mut merged = std::mem::take(&mut *self.merged.lock());
        merged.close(true);
        merged
    }

    /// Waits until every worker has reached the milestone.
    async fn await_all(&mut self, awaited: Milestone, ordered: Instant) -> anyhow::Result<()> {
        let workers = self.workers.iter();
        let deadlines = workers.map(|worker| deadline(&worker.assignment.scenario, awaited));
        let until = ordered + deadlines.max().unwrap_or_default();
        let mut missing: Vec<bool> = vec![true; self.workers.len()];
        while let Some(late) = missing.iter().position(|is_missing| *is_missing) {
            let Some((number, reached)) = timeout_at(until, self.progress.recv()).await.ok().flatten() else {
                bail!("{} was not {awaited:?} in time", self.name(late));
            };
            let name = self.name(number);
            let reached = reached.map_err(|error| anyhow::anyhow!("{name} {error:#}"))?;
            ensure!(
                reached == awaited,
                "{name} was {reached:?} before it was {awaited:?}"
            );
            if let Some(is_missing) = missing.get_mut(number) {
                *is_missing = false;
            }
        }
        Ok(())
    }

    fn name(&self, number: usize) -> &str {
        self.workers.get(number).map_or("a worker", |worker| &worker.name)
    }
}

impl Worker {
    async fn give(&mut self, order: &Order) -> anyhow::Result<()> {
        let written = timeout(WRITE_TIME, lines::write(&mut self.input, order)).await;
        // A worker that is dead cannot be written to. Its listener knows the reason, and reports it.
        let _reported_by_its_listener = written.with_context(|| format!("{} reads no orders", self.name))?;
        Ok(())
    }
}

fn check_count(workers: usize) -> anyhow::Result<()> {
    ensure!(
        (1..=MAX_WORKERS).contains(&workers),
        "{workers} workers; there can be 1 to {MAX_WORKERS}"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
