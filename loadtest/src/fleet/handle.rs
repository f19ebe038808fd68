//! A worker as its coordinator (or agent) sees it: a stream of lines each way, and the process behind it if that is on
//! this machine.

use std::{ffi::OsString, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use super::lines::{Lines, MAX_LINE_BYTES};

/// The hidden subcommand that makes this program a worker on its standard input and output.
const WORKER_COMMAND: &str = "worker";

/// How much of a worker's standard error is kept, in bytes, for when it dies.
const MAX_STDERR_BYTES: usize = 4096;

/// A process that has closed its output gets this long to end.
const END_TIME: Duration = Duration::from_secs(5);

/// The lines of a worker.
pub(super) type Output = Lines<Box<dyn AsyncRead + Send + Unpin>>;

/// The lines for a worker.
pub(super) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// The program that a worker process runs.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

impl Program {
    /// This program, as a worker.
    ///
    /// # Errors
    /// When the system does not know the path of this program.
    pub(crate) fn this() -> anyhow::Result<Self> {
        let path = std::env::current_exe().context("this program's own path is not known")?;
        Ok(Self {
            path,
            args: vec![WORKER_COMMAND.into()],
        })
    }
}

/// A worker.
pub(super) struct Handle {
    /// `worker 2`, or `worker 2 at host:7700`.
    pub(super) name: String,
    pub(super) output: Output,
    pub(super) input: Input,
    /// `None` for a worker elsewhere.
    pub(super) process: Option<WorkerProcess>,
    /// How far its clock is ahead of this machine's, in milliseconds.
    pub(super) clock_ahead_ms: i64,
}

/// A process of this machine; dropping it kills it.
pub(super) struct WorkerProcess {
    child: Child,
    /// The end of its standard error.
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Handle {
    /// Starts worker `number` on this machine. It ends by itself when this process does.
    pub(super) fn spawn(program: &Program, number: usize) -> anyhow::Result<Self> {
        let name = format!("worker {number}");
        let mut child = Command::new(&program.path)
            .args(&program.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the coordinator, which reports what its workers have recorded.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} cannot be started as {}", program.path.display()))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            anyhow::bail!("{name} has no pipes");
        };
        let stderr = Arc::default();
        // Owner: the process, whose end closes the pipe.
        tokio::spawn(keep_end(errors, Arc::clone(&stderr)));
        let output: Box<dyn AsyncRead + Send + Unpin> = Box::new(output);
        Ok(Self {
            output: Lines::new(output, &name, MAX_LINE_BYTES),
            name,
            input: Box::new(input),
            process: Some(WorkerProcess { child, stderr }),
            clock_ahead_ms: 0,
        })
    }
}

/// Keeps the end of its standard error: the terminal belongs to the live view. Ends with the process.
async fn keep_end(mut errors: ChildStderr, end: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = errors.read(&mut piece).await {
        let mut end = end.lock();
        end.extend_from_slice(piece.get(..length).unwrap_or_default());
        let beyond = end.len().saturating_sub(MAX_STDERR_BYTES);
        end.drain(..beyond);
    }
}

/// Waits for the end of a worker that has closed its output, and kills it if need be. Whether it ended in good order,
/// and how, in words.
pub(super) async fn end(process: Option<&mut WorkerProcess>) -> (bool, String) {
    let Some(WorkerProcess { child, stderr }) = process else {
        return (false, "its connection was closed".to_owned());
    };
    let status = timeout(END_TIME, child.wait()).await.ok().and_then(Result::ok);
    if status.is_none() {
        // If it cannot be killed it is dead already.
        let _ = child.start_kill();
    }
    let is_good = status.is_some_and(|status| status.success());
    let how = status.map_or("it closed its output and did not end".to_owned(), |status| {
        status.to_string()
    });
    match String::from_utf8_lossy(&stderr.lock()).trim() {
        "" => (is_good, how),
        errors => (is_good, format!("{how}; its standard error: {errors}")),
    }
}
