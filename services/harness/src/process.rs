//! A child process that is ended with its owner, and can be killed, frozen and started again with the same
//! arguments. It knows of what it serves only how one sees that it does (`ready`).

use std::{
    ffi::OsString,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use parking_lot::Mutex;

use crate::{Port, Ready, stopped::is_stopped, wait::Wait};

/// How long the kernel may take to end a killed process, which has to free its memory and sockets.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// How long a process may take to end by itself. A node drains first: 30 s with its defaults.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// How long a process may take to freeze.
const FROZEN_WITHIN: Duration = Duration::from_secs(5);

/// How long a server may take until it serves; far more than it needs on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How much of the log's end goes into an error, in bytes.
const TAIL_BYTES: u64 = 2_000;

/// How a process is started.
#[derive(Debug)]
pub struct Recipe {
    /// The program, a path or a name to look up on PATH.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its environment, in addition to that of this process.
    pub environment: Vec<(&'static str, String)>,
    /// Standard output and error go here; each start appends.
    pub log: PathBuf,
    /// The sign that it serves.
    pub ready: Ready,
    /// The ports it listens on: reserved as long as it can be started again.
    pub ports: Vec<Port>,
}

/// A child process; killed when dropped, also by a panic and also when frozen. Methods take `&self`, so that faults
/// and observers can share it.
#[derive(Debug)]
pub struct Process {
    name: String,
    recipe: Recipe,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `Some` until it was seen to have ended.
    child: Option<Child>,
    ended: Option<ExitStatus>,
}

impl Process {
    /// A process that is not started yet.
    #[must_use]
    pub fn new(name: &str, recipe: Recipe) -> Self {
        Self {
            name: name.to_owned(),
            recipe,
            state: Mutex::default(),
        }
    }

    /// The name under which errors and faults know it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process ID while it runs; another one after each start. A frozen process runs.
    pub fn pid(&self) -> Option<u32> {
        self.state.lock().running().map(|child| child.id())
    }

    /// Starts it, for the first time or again, without waiting until it serves.
    ///
    /// # Errors
    /// When it runs already, or its program is missing.
    pub fn spawn(&self) -> anyhow::Result<()> {
        let (name, recipe) = (&self.name, &self.recipe);
        let mut state = self.state.lock();
        if let Some(child) = state.running() {
            anyhow::bail!("{name} runs already, as process {}", child.id());
        }
        let log = File::options().create(true).append(true).open(&recipe.log);
        let log = log.with_context(|| format!("{} cannot be written", recipe.log.display()))?;
        let child = Command::new(&recipe.program)
            .args(&recipe.arguments)
            .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started for {name}", recipe.program.display()))?;
        state.child = Some(child);
        Ok(())
    }

    /// Starts it, for the first time or again, and waits until it serves.
    ///
    /// # Errors
    /// As [`Process::spawn`] and [`Process::wait_ready`].
    pub async fn start(&self) -> anyhow::Result<()> {
        self.spawn()?;
        self.wait_ready().await
    }

    /// Kills it if it runs, starts it again, and waits until it serves.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn restart(&self) -> anyhow::Result<()> {
        if self.pid().is_some() {
            self.kill().await?;
        }
        self.start().await
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// When it ends instead or does not serve in time; with the end of its log.
    pub async fn wait_ready(&self) -> anyhow::Result<()> {
        let what = format!("{} serves", self.name);
        let wait = Wait::new(&what, READY_WITHIN);
        loop {
            let serves = self.recipe.ready.check().await;
            // In this order: after its end, another program may serve at its address.
            if self.pid().is_none() {
                anyhow::bail!("{} ended instead of serving; {}", self.name, self.log_tail());
            }
            let Err(state) = serves else { return Ok(()) };
            let paused = wait.pause(&state).await;
            paused.map_err(|error| anyhow::anyhow!("{error}; {}", self.log_tail()))?;
        }
    }

    /// SIGKILL; waits until it is gone. A frozen process dies too.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.wait_ended(KILLED_WITHIN).await.map(drop)
    }

    /// SIGTERM; waits until it has ended.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub async fn stop(&self) -> anyhow::Result<ExitStatus> {
        self.terminate()?;
        self.wait_ended(STOPPED_WITHIN).await
    }

    /// SIGTERM, without waiting.
    ///
    /// # Errors
    /// When it does not run.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM).map(drop)
    }

    /// SIGSTOP. Returns when every thread has stopped, which takes microseconds, or milliseconds on a busy machine; this
    /// thread waits without sleeping.
    ///
    /// # Errors
    /// When it does not run, or has not stopped in time.
    pub fn freeze(&self) -> anyhow::Result<()> {
        let pid = self.signal(Signal::SIGSTOP)?;
        let deadline = Instant::now() + FROZEN_WITHIN;
        while !is_stopped(pid.as_raw()) {
            ensure!(
                Instant::now() < deadline,
                "{} did not stop within {FROZEN_WITHIN:?}",
                self.name
            );
            std::thread::yield_now();
        }
        Ok(())
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT).map(drop)
    }

    /// SIGHUP.
    ///
    /// # Errors
    /// When it does not run.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGHUP).map(drop)
    }

    /// Waits until it has ended, and returns how.
    ///
    /// # Errors
    /// When it was never started or has not ended in time; with the end of its log.
    pub async fn wait_ended(&self, within: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        let wait = Wait::new(&what, within);
        while self.pid().is_some() {
            let paused = wait.pause("").await;
            paused.map_err(|error| anyhow::anyhow!("{error}; {}", self.log_tail()))?;
        }
        let ended = self.state.lock().ended;
        ended.with_context(|| format!("{} was never started", self.name))
    }

    /// All that it has logged, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.recipe.log).unwrap_or_default()
    }

    /// The end of its log, for errors.
    fn log_tail(&self) -> String {
        let tail = || {
            let mut log = File::open(&self.recipe.log)?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            log.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            std::io::Result::Ok(bytes)
        };
        match tail() {
            Ok(bytes) => format!("its log ends with:\n{}", String::from_utf8_lossy(&bytes).trim()),
            Err(error) => format!("its log cannot be read: {error}"),
        }
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<Pid> {
        let name = &self.name;
        let mut state = self.state.lock();
        let child = state.running().with_context(|| format!("{name} does not run"))?;
        // Nobody has waited for this child yet, so the number is still its own.
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        kill(pid, signal).with_context(|| format!("{name} does not take {signal}"))?;
        Ok(pid)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.state.get_mut().child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl State {
    /// The child if it has not ended.
    fn running(&mut self) -> Option<&mut Child> {
        if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok()?) {
            self.ended = Some(status);
            self.child = None;
        }
        self.child.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &tempfile::TempDir) -> Process {
        let recipe = Recipe {
            program: "sleep".into(),
            arguments: vec!["60".into()],
            environment: Vec::new(),
            log: folder.path().join("log"),
            ready: Ready::Started,
            ports: Vec::new(),
        };
        Process::new("s1", recipe)
    }

    #[tokio::test]
    async fn a_process_is_started_again_under_another_number() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(&folder);
        assert_eq!(process.pid(), None);
        process.start().await.unwrap();
        let first = process.pid().unwrap();
        let error = process.spawn().unwrap_err().to_string();
        assert!(error.contains("s1 runs already"), "{error}");
        process.kill().await.unwrap();
        assert_eq!(process.pid(), None);
        let error = process.freeze().unwrap_err().to_string();
        assert!(error.contains("s1 does not run"), "{error}");
        process.spawn().unwrap();
        assert_ne!(process.pid(), Some(first));
        assert_eq!(process.stop().await.unwrap().code(), None, "ended by the signal");
        assert_eq!(process.pid(), None);
    }

    #[test]
    fn a_frozen_process_dies_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(&folder);
        process.spawn().unwrap();
        let pid = process.pid().unwrap();
        process.freeze().unwrap();
        drop(process);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_process_dies_when_its_owner_panics() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(&folder);
        process.spawn().unwrap();
        let pid = process.pid().unwrap();
        let owner = std::thread::spawn(move || {
            let _process = process;
            panic!("on purpose");
        });
        assert!(owner.join().is_err());
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_is_named_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(&folder);
        process.recipe.arguments = vec!["an hour".into()];
        process.recipe.ready = Ready::Accepts(1);
        let error = process.start().await.unwrap_err().to_string();
        assert!(error.contains("s1 ended instead of serving"), "{error}");
        assert!(error.contains("an hour"), "{error}");
    }
}
