//! An agent: lends this machine to coordinators elsewhere. For each of their connections it starts one worker
//! process here and passes lines on; it adds its own key for tokens, so that keys never cross the network, and it
//! decides whom may be loaded from here.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use parking_lot::Mutex;
use switchboard_protocol::Secret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use super::{
    Key, Order, Said, handshake,
    lines::{Lines, MAX_LINE_BYTES, say, say_text},
    listener::SILENCE_TIME,
    local::{self, Program},
    remote::{HANDSHAKE_TIME, tune},
};
use crate::scenario::Scenario;

/// Connections at once, with or without a worker.
const MAX_CONNECTIONS: usize = 64;

/// From the handshake until `Prepare`.
const ORDER_TIME: Duration = Duration::from_secs(120);

/// A line that cannot be handed on for so long ends the connection.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// After a failed accept, such as for want of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Whether a scenario may be run from here; the error says why not.
pub(crate) type Check = Box<dyn Fn(&Scenario) -> anyhow::Result<()> + Send + Sync>;

/// What an agent needs to know.
pub(crate) struct Agent {
    /// What coordinators prove that they know.
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

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

/// Serves one coordinator after the other, until nobody has come for [`Agent::leave_after`]. Dropping the future
/// ends all workers.
///
/// # Errors
/// Never by itself.
pub(crate) async fn serve(listener: TcpListener, agent: Agent) -> anyhow::Result<()> {
    let agent = Arc::new(agent);
    let floor = Arc::new(Mutex::new(Floor::new()));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut clock = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        eprintln!("agent: {from} refused: {MAX_CONNECTIONS} connections are there already");
                        continue;
                    };
                    let (agent, floor) = (Arc::clone(&agent), Arc::clone(&floor));
                    connections.spawn(async move {
                        if let Err(error) = attend(stream, &agent, &floor).await {
                            eprintln!("agent: {from}: {error:#}");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    eprintln!("agent: cannot accept: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = clock.tick() => {
                if agent.leave_after.is_some_and(|patience| floor.lock().is_left_for(patience)) {
                    return Ok(());
                }
            }
        }
    }
}

/// Whose workers are here: those of one run at a time.
#[derive(Debug)]
struct Floor {
    run: String,
    workers: usize,
    left: Instant,
}

impl Floor {
    fn new() -> Self {
        Self {
            run: String::new(),
            workers: 0,
            left: Instant::now(),
        }
    }

    fn is_left_for(&self, patience: Duration) -> bool {
        self.workers == 0 && self.left.elapsed() > patience
    }
}

/// A worker's place on the floor, until it is dropped.
struct Place(Arc<Mutex<Floor>>);

impl Place {
    fn of(floor: &Arc<Mutex<Floor>>, run: &str) -> Result<Self, String> {
        let mut taken = floor.lock();
        if taken.workers > 0 && taken.run != run {
            return Err("busy with another coordinator's run".to_owned());
        }
        taken.workers += 1;
        run.clone_into(&mut taken.run);
        Ok(Self(Arc::clone(floor)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut floor = self.0.lock();
        floor.workers = floor.workers.saturating_sub(1);
        floor.left = Instant::now();
    }
}

/// One connection from its handshake to its end.
async fn attend(stream: TcpStream, agent: &Agent, floor: &Arc<Mutex<Floor>>) -> anyhow::Result<()> {
    tune(&stream);
    let (read, mut write) = stream.into_split();
    let mut lines = Lines::bounded(read, "the coordinator", handshake::MAX_HELLO_BYTES);
    let admit = |run: &str| Place::of(floor, run);
    // Declared after the writing half and so given back before it hangs up: the coordinator may then come again.
    let _place = timeout(
        HANDSHAKE_TIME,
        handshake::accept(&mut lines, &mut write, &agent.secret, admit),
    )
    .await
    .context("no handshake in time")??;
    let mut lines = lines.rebound("the coordinator", MAX_LINE_BYTES);
    let outcome = relay(&mut lines, &mut write, agent).await;
    if let Err(error) = &outcome {
        // The coordinator may be the one that is gone.
        let _ = timeout(WRITE_TIME, say(&mut write, &Said::Failed(format!("{error:#}")))).await;
    }
    outcome
}

/// Starts a worker and passes lines on until one side ends.
async fn relay<R, W>(orders: &mut Lines<R>, write: &mut W, agent: &Agent) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let first = timeout(ORDER_TIME, orders.next())
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
    let mut worker = local::spawn(&agent.program, assignment.number)?;
    let prepare = serde_json::to_string(&Order::Prepare(assignment))?;
    hand_on(&mut worker.ear, prepare)
        .await
        .context("the worker does not listen")?;
    loop {
        tokio::select! {
            order = orders.next_text() => match order? {
                // Its standard input ends with it, and so does the worker.
                None => return Ok(()),
                Some(order) => hand_on(&mut worker.ear, order).await.context("the worker does not listen")?,
            },
            said = timeout(SILENCE_TIME, worker.voice.next_text()) => {
                match said.map_err(|_| anyhow!("the worker says nothing"))?? {
                    Some(said) => hand_on(write, said).await.context("the coordinator does not listen")?,
                    None => {
                        let end = worker.body.end().await;
                        if !end.is_well() {
                            bail!("the worker died: {}", end.text);
                        }
                        return Ok(());
                    }
                }
            }
        }
    }
}

async fn hand_on<W: AsyncWrite + Unpin>(write: &mut W, line: String) -> anyhow::Result<()> {
    timeout(WRITE_TIME, say_text(write, line))
        .await
        .context("no room in time")?
}

#[cfg(test)]
mod tests;
