//! A worker as its coordinator (or agent) sees it: a stream of lines each way, and what is behind it.

use std::{fmt, process::ExitStatus, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    process::Child,
    time::timeout,
};

use super::lines::Lines;

/// What is read from a worker.
pub(super) type Voice = Lines<Box<dyn AsyncRead + Send + Unpin>>;

/// What is written to it.
pub(super) type Ear = Box<dyn AsyncWrite + Send + Unpin>;

/// A process that has closed its output gets this long to end.
const END_TIME: Duration = Duration::from_secs(5);

/// A worker.
pub(super) struct Member {
    /// `worker 2`, or `worker 2 at host:7700`.
    pub(super) name: String,
    pub(super) voice: Voice,
    pub(super) ear: Ear,
    pub(super) body: Body,
    /// How far its clock is ahead of this machine's, in milliseconds.
    pub(super) clock_ahead_ms: i64,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is behind the lines.
pub(super) enum Body {
    /// A process of ours; dropping it kills it.
    Process {
        child: Box<Child>,
        /// The last of its standard error.
        tail: Arc<Mutex<Vec<u8>>>,
    },
    /// Something elsewhere.
    Remote,
}

impl Body {
    /// Waits for the end of what has closed its lines, kills it if need be, and says how it ended.
    pub(super) async fn end(&mut self) -> End {
        match self {
            Self::Remote => End {
                status: None,
                text: "its connection was closed".to_owned(),
            },
            Self::Process { child, tail } => {
                let status = match timeout(END_TIME, child.wait()).await {
                    Ok(status) => status.ok(),
                    Err(_) => {
                        // If it cannot be killed it is dead already.
                        let _ = child.start_kill();
                        None
                    }
                };
                let mut text = match status {
                    Some(status) => status.to_string(),
                    None => "it closed its output and did not end".to_owned(),
                };
                let said = String::from_utf8_lossy(&tail.lock()).trim().to_owned();
                if !said.is_empty() {
                    text.push_str("; it said: ");
                    text.push_str(&said);
                }
                End { status, text }
            }
        }
    }
}

/// How a worker ended.
pub(super) struct End {
    status: Option<ExitStatus>,
    /// In words.
    pub(super) text: String,
}

impl End {
    /// Whether a process ended in good order.
    pub(super) fn is_well(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}
