//! Workers on other machines, through their agents, over TCP.

use std::time::Duration;

use anyhow::Context as _;
use switchboard_protocol::Secret;
use tokio::{
    io::AsyncRead,
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    handle::Handle,
    handshake::{MAX_HELLO_BYTES, introduce},
    lines::Lines,
};

/// An agent that is not there yet is tried for so long: in a Kubernetes Job all start at once.
const APPEAR_TIME: Duration = Duration::from_secs(60);

/// Between two tries.
const RETRY_GAP: Duration = Duration::from_millis(500);

/// A connect or a handshake may take so long.
pub(super) const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// The other side is gone if it acknowledges nothing for so long, in milliseconds.
const UNACKNOWLEDGED_MS: u32 = 20_000;

/// Sets what both sides want of a connection: lines at once, and an error when the other machine is gone.
pub(super) fn tune(stream: &TcpStream) {
    // Without these it works too, only slower.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::socket::setsockopt(
        stream,
        nix::sys::socket::sockopt::TcpUserTimeout,
        &UNACKNOWLEDGED_MS,
    );
}

/// Connects to the agent at `address` (`host:port`) for worker `number` of `run`.
///
/// # Errors
/// When no agent answers for a minute, or it has another secret, or is busy.
pub(super) async fn connect(
    address: &str,
    number: usize,
    secret: &Secret,
    run: &str,
) -> anyhow::Result<Handle> {
    let given_up = Instant::now() + APPEAR_TIME;
    let stream = loop {
        let tried = timeout(HANDSHAKE_TIME, TcpStream::connect(address)).await;
        match tried.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(stream) => break stream,
            Err(error) if Instant::now() + RETRY_GAP > given_up => {
                return Err(error).with_context(|| format!("the agent at {address} cannot be reached"));
            }
            Err(_) => sleep(RETRY_GAP).await,
        }
    };
    tune(&stream);
    let (read, mut write) = stream.into_split();
    let read: Box<dyn AsyncRead + Send + Unpin> = Box::new(read);
    let agent = format!("the agent at {address}");
    let mut lines = Lines::new(read, &agent, MAX_HELLO_BYTES);
    let clock_ahead_ms = timeout(HANDSHAKE_TIME, introduce(&mut lines, &mut write, secret, run))
        .await
        .context("no answer in time; is that an agent?")
        .flatten()
        .context(agent)?;
    let name = format!("worker {number} at {address}");
    let (output, input) = (lines.rename(&name), Box::new(write));
    Ok(Handle {
        name,
        output,
        input,
        process: None,
        clock_ahead_ms,
    })
}
