//! An agent: lends this machine to coordinators elsewhere. For each of their connections it starts one worker
//! process here and forwards lines. It adds its own key for tokens, so that keys never cross the network, and it
//! decides which servers may be loaded from here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use switchboard_protocol::Secret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use super::{
    Key, Order, Program, Report,
    handle::{Handle, end},
    handshake,
    lines::{self, Lines},
    listener::SILENCE_TIME,
    remote::{HANDSHAKE_TIME, tune},
};
use crate::scenario::Scenario;

/// Connections at once, with or without a worker.
const MAX_CONNECTIONS: usize = 64;

/// From the handshake until `Prepare`.
const ORDER_TIME: Duration = Duration::from_secs(120);

/// A line that cannot be forwarded for so long ends the connection.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// After a failed accept, for example when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Whether a scenario may be run from here; the error says why not.
pub(crate) type Check = Box<dyn Fn(&Scenario) -> anyhow::Result<()> + Send + Sync>;

/// The configuration of an agent.
pub(crate) struct Agent {
    /// The secret that coordinators must prove to know.
    pub(crate) secret: Secret,
    /// What its workers sign tokens with; [`Key::Own`] if nothing, for servers without tokens.
    pub(crate) key: Key,
    /// What a worker runs.
    pub(crate) program: Program,
    /// Refuses targets.
    pub(crate) check: Check,
    /// Ends when no coordinator was there for so long; never if `None`.
    pub(crate) leave_after: Option<Duration>,
}

/// Serves one coordinator after the other, until none has come for [`Agent::leave_after`]. Dropping the future
/// ends all workers.
pub(crate) async fn serve(listener: TcpListener, agent: Agent) {
    let agent = Arc::new(agent);
    let workers = Arc::new(Mutex::new(Workers {
        run: String::new(),
        count: 0,
        idle_since: Instant::now(),
    }));
    let mut connections = JoinSet::new();
    let mut clock = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((_, from)) if connections.len() >= MAX_CONNECTIONS => {
                    eprintln!("agent: {from} refused: there are already {MAX_CONNECTIONS} connections");
                }
                Ok((stream, from)) => {
                    let (agent, workers) = (Arc::clone(&agent), Arc::clone(&workers));
                    connections.spawn(async move {
                        if let Err(error) = serve_connection(stream, &agent, &workers).await {
                            eprintln!("agent: {from}: {error:#}");
                        }
                    });
                }
                Err(error) => {
                    eprintln!("agent: cannot accept: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = clock.tick() => {
                let workers = workers.lock();
                let is_over = |patience| workers.count == 0 && workers.idle_since.elapsed() > patience;
                if agent.leave_after.is_some_and(is_over) {
                    return;
                }
            }
        }
    }
}

/// The workers that are here: those of one run at a time.
#[derive(Debug)]
struct Workers {
    run: String,
    count: usize,
    idle_since: Instant,
}

/// Counts one worker until it is dropped.
struct Place(Arc<Mutex<Workers>>);

impl Place {
    fn of(all: &Arc<Mutex<Workers>>, run: &str) -> Result<Self, String> {
        let mut workers = all.lock();
        if workers.count > 0 && workers.run != run {
            return Err("busy with another coordinator's run".to_owned());
        }
        workers.count += 1;
        run.clone_into(&mut workers.run);
        Ok(Self(Arc::clone(all)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut workers = self.0.lock();
        workers.count = workers.count.saturating_sub(1);
        workers.idle_since = Instant::now();
    }
}

/// One connection from its handshake to its end.
async fn serve_connection(
    stream: TcpStream,
    agent: &Agent,
    workers: &Arc<Mutex<Workers>>,
) -> anyhow::Result<()> {
    tune(&stream);
    let (read, mut write) = stream.into_split();
    let mut lines = Lines::new(read, "the coordinator", handshake::MAX_HELLO_BYTES);
    let admit = |run: &str| Place::of(workers, run);
    let accepting = handshake::accept(&mut lines, &mut write, &agent.secret, admit);
    // Declared after the writing half and so given back before the connection closes: the coordinator may then come
    // again.
    let _place = timeout(HANDSHAKE_TIME, accepting)
        .await
        .context("no handshake in time")??;
    let mut lines = lines.rename("the coordinator");
    let outcome = forward(&mut lines, &mut write, agent).await;
    if let Err(error) = &outcome {
        // The coordinator may be gone.
        let report = Report::Failed(format!("{error:#}"));
        let _ = timeout(WRITE_TIME, lines::write(&mut write, &report)).await;
    }
    outcome
}

/// Starts a worker and forwards lines until one side ends.
async fn forward<R, W>(orders: &mut Lines<R>, write: &mut W, agent: &Agent) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let first = timeout(ORDER_TIME, orders.read())
        .await
        .context("no orders in time")??;
    let mut assignment = match first {
        None => return Ok(()),
        Some(Order::Prepare(assignment)) => assignment,
        Some(Order::Start { .. } | Order::Finish) => bail!("the first order has to be `prepare`"),
    };
    if !matches!(assignment.key, Key::Own) {
        bail!("a key came over the network; agents use their own only");
    }
    (agent.check)(&assignment.scenario)?;
    assignment.key = agent.key.clone();
    let Handle {
        mut input,
        mut output,
        mut process,
        ..
    } = Handle::spawn(&agent.program, assignment.number)?;
    let prepare = serde_json::to_string(&Order::Prepare(assignment))?;
    write_line(&mut input, prepare)
        .await
        .context("the worker does not read")?;
    loop {
        tokio::select! {
            order = orders.read_text() => match order? {
                // The worker ends with its standard input.
                None => return Ok(()),
                Some(order) => write_line(&mut input, order).await.context("the worker does not read")?,
            },
            report = timeout(SILENCE_TIME, output.read_text()) => match report.context("the worker is silent")?? {
                Some(report) => write_line(write, report).await.context("the coordinator does not read")?,
                None => match end(process.as_mut()).await {
                    (true, _) => return Ok(()),
                    (false, how) => bail!("the worker died: {how}"),
                },
            },
        }
    }
}

async fn write_line<W: AsyncWrite + Unpin>(write: &mut W, line: String) -> anyhow::Result<()> {
    timeout(WRITE_TIME, lines::write_text(write, line))
        .await
        .context("no room in time")?
}

#[cfg(test)]
mod tests;
