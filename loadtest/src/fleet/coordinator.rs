//! The coordinator's side of a run: workers are started or connected to, prepared, started together, heard, and
//! ended. What they see goes into [`Merged`]; a worker that fails or dies is an error that names it.

use std::{sync::Arc, time::Duration};

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
    Assignment, Key, Order,
    clock::unix_ms,
    deadline, handshake,
    lines::say,
    listener::{Listener, Word},
    local::{self, Program},
    member::{Body, Ear, Member, Voice},
    merge::Merged,
    remote,
};

/// Workers or connections to agents at most.
pub(crate) const MAX_WORKERS: usize = 256;

/// Before the start of a load by local workers: all have to hear of it.
const LOCAL_LEAD: Duration = Duration::from_millis(500);

/// The same by agents.
const REMOTE_LEAD: Duration = Duration::from_secs(2);

/// An order may take so long to be written.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// Words of one worker in its life: ready, ended, done, failed.
const WORDS_PER_WORKER: usize = 4;

/// Who makes the load.
#[derive(Debug, Clone)]
pub(crate) enum Crew {
    /// Worker processes of this machine.
    Local {
        /// How many.
        workers: usize,
        /// What they run.
        program: Program,
    },
    /// Agents on other machines.
    Remote {
        /// Where, as `host:port`.
        agents: Vec<String>,
        /// Workers over all agents, in turn; one each if fewer.
        workers: usize,
        /// What the agents know too.
        secret: Secret,
    },
}

/// The workers of one run. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Fleet {
    workers: Vec<Worker>,
    merged: Arc<Mutex<Merged>>,
    words: mpsc::Receiver<(usize, Word)>,
    sender: mpsc::Sender<(usize, Word)>,
    lead: Duration,
    /// When `Prepare` was sent, and the load starts.
    prepared: Instant,
    start: Instant,
}

struct Worker {
    name: String,
    assignment: Assignment,
    ear: Ear,
    clock_ahead_ms: i64,
    /// Until somebody listens.
    silent: Option<(Voice, Body)>,
    listener: Option<AbortOnDropHandle<()>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Fleet {
    /// Starts workers or connects to agents. `assignment_of` says what each gets; `number` and `of` are set here,
    /// and the key of one that goes over the network is [`Key::Own`].
    ///
    /// # Errors
    /// When a worker cannot be started, or an agent is not there, refuses or has another secret.
    pub(crate) async fn start(
        crew: Crew,
        assignment_of: impl Fn(usize) -> Assignment,
    ) -> anyhow::Result<Self> {
        match crew {
            Crew::Local { workers, program } => {
                check_count(workers)?;
                let members = (0..workers).map(|number| local::spawn(&program, number));
                let members = members.collect::<anyhow::Result<Vec<_>>>()?;
                Ok(Self::of(members, LOCAL_LEAD, assignment_of))
            }
            Crew::Remote {
                agents,
                workers,
                secret,
            } => {
                ensure!(!agents.is_empty(), "no agents are named");
                let workers = workers.max(agents.len());
                check_count(workers)?;
                let run = handshake::nonce()?;
                let members = agents.iter().cycle().take(workers).enumerate();
                let members = members.map(|(number, agent)| remote::connect(agent, number, &secret, &run));
                let members = try_join_all(members).await?;
                Ok(Self::of(members, REMOTE_LEAD, |number| Assignment {
                    key: Key::Own,
                    ..assignment_of(number)
                }))
            }
        }
    }

    /// Over workers that are there already.
    fn of(members: Vec<Member>, lead: Duration, assignment_of: impl Fn(usize) -> Assignment) -> Self {
        let of = members.len();
        let (sender, words) = mpsc::channel(of.max(1) * WORDS_PER_WORKER);
        let workers = members.into_iter().enumerate().map(|(number, member)| Worker {
            name: member.name,
            assignment: Assignment {
                number,
                of,
                ..assignment_of(number)
            },
            ear: member.ear,
            clock_ahead_ms: member.clock_ahead_ms,
            silent: Some((member.voice, member.body)),
            listener: None,
        });
        Self {
            workers: workers.collect(),
            merged: Arc::new(Mutex::new(Merged::new(of))),
            words,
            sender,
            lead,
            prepared: Instant::now(),
            start: Instant::now(),
        }
    }

    /// What was seen so far, kept up to date in the background; for the live view. Emptied by [`Fleet::finish`].
    pub(crate) fn merged(&self) -> Arc<Mutex<Merged>> {
        Arc::clone(&self.merged)
    }

    /// Has all workers connect what must be there before the load, and waits until all are ready.
    ///
    /// # Errors
    /// When a worker fails, dies, or takes too long.
    pub(crate) async fn prepare(&mut self) -> anyhow::Result<()> {
        self.prepared = Instant::now();
        let mut longest = Duration::ZERO;
        for (number, worker) in self.workers.iter_mut().enumerate() {
            longest = longest.max(deadline::prepare(&worker.assignment.scenario));
            let Some((voice, body)) = worker.silent.take() else {
                bail!("a fleet is prepared once");
            };
            let listener = Listener {
                number,
                merged: Arc::clone(&self.merged),
                words: self.sender.clone(),
            };
            worker.listener = Some(AbortOnDropHandle::new(tokio::spawn(listener.listen(voice, body))));
            let order = Order::Prepare(Box::new(worker.assignment.clone()));
            give(worker, &order).await?;
        }
        self.gather(&Word::Ready, self.prepared + longest).await
    }

    /// Starts the load, at the same moment everywhere, a little in the future.
    ///
    /// # Errors
    /// When a worker does not listen.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<Instant> {
        let at_unix_ms = unix_ms().saturating_add(u64::try_from(self.lead.as_millis()).unwrap_or(0));
        self.start = Instant::now() + self.lead;
        let ramp = self.start.saturating_duration_since(self.prepared);
        self.merged
            .lock()
            .begins(i64::try_from(ramp.as_millis()).unwrap_or(i64::MAX));
        for worker in &mut self.workers {
            let at_unix_ms = at_unix_ms.saturating_add_signed(worker.clock_ahead_ms);
            give(worker, &Order::Start { at_unix_ms }).await?;
        }
        Ok(self.start)
    }

    /// Waits until the load has ended and settled everywhere.
    ///
    /// # Errors
    /// When a worker fails or dies: the run is invalid then. Or when one takes far too long.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        let longest = self
            .workers
            .iter()
            .map(|worker| deadline::load(&worker.assignment.scenario))
            .max();
        self.gather(&Word::Ended, self.start + longest.unwrap_or_default())
            .await
    }

    /// Has all workers close their connections and end, and gives what they saw.
    ///
    /// # Errors
    /// As [`Fleet::ended`].
    pub(crate) async fn finish(mut self) -> anyhow::Result<Merged> {
        let mut longest = Duration::ZERO;
        for worker in &mut self.workers {
            longest = longest.max(deadline::finish(&worker.assignment.scenario));
            give(worker, &Order::Finish).await?;
        }
        self.gather(&Word::Done, Instant::now() + longest).await?;
        for worker in self.workers.drain(..) {
            drop(worker.ear);
            if let Some(listener) = worker.listener {
                // It waits until the worker has left, but not for long: the next run has the machine for itself.
                let _ = listener.await;
            }
        }
        let mut merged = std::mem::take(&mut *self.merged.lock());
        merged.close();
        Ok(merged)
    }

    /// Waits for that word from every worker.
    async fn gather(&mut self, awaited: &Word, until: Instant) -> anyhow::Result<()> {
        let mut missing: Vec<bool> = vec![true; self.workers.len()];
        while missing.contains(&true) {
            let heard = timeout_at(until, self.words.recv()).await;
            let Some((number, word)) = heard.ok().flatten() else {
                let late = missing.iter().position(|is_missing| *is_missing).unwrap_or(0);
                bail!("{} did not say {awaited:?} in time", self.name(late));
            };
            match word {
                Word::Lost(how) => bail!("{} {how}", self.name(number)),
                word @ (Word::Ready | Word::Ended | Word::Done) => {
                    let name = self.name(number);
                    ensure!(word == *awaited, "{name} said {word:?} where {awaited:?} was due");
                    if let Some(is_missing) = missing.get_mut(number) {
                        *is_missing = false;
                    }
                }
            }
        }
        Ok(())
    }

    fn name(&self, number: usize) -> &str {
        self.workers.get(number).map_or("a worker", |worker| &worker.name)
    }
}

fn check_count(workers: usize) -> anyhow::Result<()> {
    ensure!(
        (1..=MAX_WORKERS).contains(&workers),
        "{workers} workers; there can be 1 to {MAX_WORKERS}"
    );
    Ok(())
}

/// A worker that is dead cannot be written to; who listens to it knows better why, and tells.
async fn give(worker: &mut Worker, order: &Order) -> anyhow::Result<()> {
    let given = timeout(WRITE_TIME, say(&mut worker.ear, order)).await;
    let _told_by_its_listener = given.with_context(|| format!("{} does not listen", worker.name))?;
    Ok(())
}

#[cfg(test)]
mod tests;
