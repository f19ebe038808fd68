//! Workers as processes of this machine, over pipes.

use std::{ffi::OsString, path::PathBuf, process::Stdio, sync::Arc};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{ChildStderr, Command},
};

use super::{
    lines::Lines,
    member::{Body, Member},
};

/// The hidden subcommand that makes this program a worker on its standard input and output.
pub(crate) const WORKER_COMMAND: &str = "worker";

/// What is kept of a worker's standard error, in bytes, for when it dies.
const MAX_TAIL_BYTES: usize = 4096;

/// What a worker process runs.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The program.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

impl Program {
    /// This program, as a worker.
    ///
    /// # Errors
    /// When the system does not say which program this is.
    pub(crate) fn this() -> anyhow::Result<Self> {
        Ok(Self {
            path: std::env::current_exe().context("this program's own path is not known")?,
            args: vec![WORKER_COMMAND.into()],
        })
    }
}

/// Starts worker `number`. It is killed when its member is dropped, and ends by itself when this process does.
pub(super) fn spawn(program: &Program, number: usize) -> anyhow::Result<Member> {
    let name = format!("worker {number}");
    let mut child = Command::new(&program.path)
        .args(&program.args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{name} cannot be started as {}", program.path.display()))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(input), Some(output), Some(errors)) = pipes else {
        anyhow::bail!("{name} has no pipes");
    };
    let tail = Arc::default();
    // Owner: the process, whose end closes the pipe.
    tokio::spawn(keep_tail(errors, Arc::clone(&tail)));
    let output: Box<dyn AsyncRead + Send + Unpin> = Box::new(output);
    Ok(Member {
        voice: Lines::new(output, &name),
        name,
        ear: Box::new(input),
        body: Body::Process {
            child: Box::new(child),
            tail,
        },
        clock_ahead_ms: 0,
    })
}

/// Keeps the last of what it says: the terminal belongs to the live view. Ends with the process.
async fn keep_tail(mut errors: ChildStderr, tail: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = errors.read(&mut piece).await {
        let mut tail = tail.lock();
        tail.extend_from_slice(piece.get(..length).unwrap_or_default());
        let beyond = tail.len().saturating_sub(MAX_TAIL_BYTES);
        tail.drain(..beyond);
    }
}
