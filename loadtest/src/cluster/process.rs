//! A child process that can be killed, frozen and started again with the same arguments. It knows nothing of what
//! the process serves.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use parking_lot::Mutex;

/// How often it is looked whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long the kernel may take to end a killed process; it has to give back its memory and sockets.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// How long a process may take to end by itself. A node empties itself first: 30 s with its defaults.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// How much of the log's end goes into an error, in bytes.
const TAIL: u64 = 2_000;

/// How a process is started.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Beside what this program itself was given.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Standard output and error go here; each start appends.
    pub(super) log: PathBuf,
}

/// A child process; killed when dropped.
pub(super) struct Process {
    name: String,
    recipe: Recipe,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// A process that is not started yet.
    pub(super) fn new(name: &str, recipe: Recipe) -> Self {
        Self {
            name: name.to_owned(),
            recipe,
            child: Mutex::new(None),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its number while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        let mut child = self.child.lock();
        running(&mut child).map(|child| child.id())
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it runs already, or its program is missing.
    pub(super) fn spawn(&self) -> anyhow::Result<()> {
        let name = &self.name;
        let recipe = &self.recipe;
        let mut child = self.child.lock();
        if let Some(child) = running(&mut child) {
            anyhow::bail!("{name} runs already, as process {}", child.id());
        }
        let log = File::options().create(true).append(true).open(&recipe.log);
        let log = log.with_context(|| format!("{} cannot be written", recipe.log.display()))?;
        let started = Command::new(&recipe.program)
            .args(&recipe.arguments)
            .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started for {name}", recipe.program.display()))?;
        *child = Some(started);
        Ok(())
    }

    /// SIGKILL, and waits until it is gone. A frozen process dies too.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.ended(KILLED_WITHIN).await
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// When it does not run, or goes on.
    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        self.ended(STOPPED_WITHIN).await
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// The end of the log, for errors.
    pub(super) fn log_tail(&self) -> String {
        let recipe = &self.recipe;
        let tail = || {
            let mut log = File::open(&recipe.log)?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            log.take(TAIL).read_to_end(&mut bytes)?;
            std::io::Result::Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        tail().unwrap_or_else(|error| format!("its log cannot be read: {error}"))
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let mut child = self.child.lock();
        let name = &self.name;
        let child = running(&mut child).with_context(|| format!("{name} does not run"))?;
        // Nobody has waited for this child, so the number is still its own.
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        kill(pid, signal).with_context(|| format!("{name} does not take {signal}"))
    }

    async fn ended(&self, within: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.pid().is_some() {
            anyhow::ensure!(
                start.elapsed() < within,
                "{} has not ended within {within:?}; a frozen process cannot",
                self.name
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The child if it has not ended.
fn running(child: &mut Option<Child>) -> Option<&mut Child> {
    let has_ended = child
        .as_mut()
        .is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))));
    if has_ended {
        *child = None;
    }
    child.as_mut()
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
        };
        Process::new("s1", recipe)
    }

    #[tokio::test]
    async fn a_process_is_started_again_under_another_number() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(&folder);
        assert_eq!(process.pid(), None);
        process.spawn().unwrap();
        let first = process.pid().unwrap();
        assert!(
            process
                .spawn()
                .unwrap_err()
                .to_string()
                .contains("s1 runs already")
        );
        process.kill().await.unwrap();
        assert_eq!(process.pid(), None);
        assert!(
            process
                .freeze()
                .unwrap_err()
                .to_string()
                .contains("s1 does not run")
        );
        process.spawn().unwrap();
        assert_ne!(process.pid(), Some(first));
        process.stop().await.unwrap();
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
}
