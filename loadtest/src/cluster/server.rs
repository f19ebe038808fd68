//! A server of the cluster: its process, and how one sees that it serves.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::process::Process;
use crate::observe::Ops;

/// How long a server may take until it serves; far more than it needs on a busy machine.
const SERVES_WITHIN: Duration = Duration::from_secs(30);

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// How long a Redis may take for one `PONG`.
const PONG_WITHIN: Duration = Duration::from_secs(1);

/// How one sees that a server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Its operations port says so.
    Ready,
    /// A Redis at this port answers `PONG`.
    Pong(u16),
    /// Something answers HTTP at this port, whatever it says.
    Answers(u16),
}

/// A server that runs as a child of this program.
pub(super) struct Local {
    pub(super) process: Process,
    pub(super) sign: Sign,
    pub(super) ops_url: Option<String>,
    /// The program's name, under which its version is told.
    pub(super) program: String,
    pub(super) version: Option<String>,
}

impl Local {
    /// Waits until it serves.
    ///
    /// # Errors
    /// When it ends instead or does not in time; with the end of its log.
    pub(super) async fn serves(&self, ops: &Ops) -> anyhow::Result<()> {
        let (start, name) = (Instant::now(), self.process.name());
        loop {
            let serves = match (self.sign, &self.ops_url) {
                (Sign::Ready, None) => true,
                (Sign::Ready, Some(url)) => ops.is_ready(url).await,
                (Sign::Pong(port), _) => pongs(port).await,
                (Sign::Answers(port), _) => ops.answers(port).await,
            };
            // In this order: what serves at its address may be another program when its own has ended.
            anyhow::ensure!(
                self.process.pid().is_some(),
                "{name} ended instead of serving; its log ends with:\n{}",
                self.process.log_tail()
            );
            if serves {
                return Ok(());
            }
            anyhow::ensure!(
                start.elapsed() < SERVES_WITHIN,
                "{name} does not serve after {SERVES_WITHIN:?}; its log ends with:\n{}",
                self.process.log_tail()
            );
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

async fn pongs(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer == *b"+PONG")
    };
    matches!(tokio::time::timeout(PONG_WITHIN, ask).await, Ok(Ok(true)))
}
