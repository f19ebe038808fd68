//! A TCP connection that notices a dead peer: every address of a name is tried, and packets without an answer end the
//! connection within seconds.

use std::{net::SocketAddr, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

/// The silence before the first keepalive probe.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(2);

/// The time between two probes.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(1);

/// Probes without an answer that end a connection.
const KEEPALIVE_PROBES: u32 = 3;

/// How long sent bytes may stay unacknowledged until the connection ends (`TCP_USER_TIMEOUT`).
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Connects to the first of `addresses` that accepts. Each has an equal share of the time that is left.
///
/// # Errors
/// For people; continues "Redis at …".
pub(super) async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, String> {
    let mut problems = Vec::new();
    for (left, address) in (1..=addresses.len()).rev().zip(addresses) {
        let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(1);
        let problem = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => match prepare(&stream) {
                Ok(()) => return Ok(stream),
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        problems.push(match addresses.len() {
            1 => problem,
            _ => format!("{address}: {problem}"),
        });
    }
    Err(format!("cannot be reached: {}", problems.join("; ")))
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    // Otherwise every lone PUBLISH would wait for an acknowledgement.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn every_address_is_tried_and_each_failure_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = closed.local_addr().unwrap();
        drop(closed);
        let soon = || Instant::now() + Duration::from_secs(5);
        let stream = connect(&[dead, alive], soon()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        assert!(stream.nodelay().unwrap());
        let refused = connect(&[dead, dead], soon()).await.unwrap_err();
        assert_eq!(refused.matches(&dead.to_string()).count(), 2, "{refused}");
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        // A full backlog: the kernel drops what comes.
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let _fills_it = std::net::TcpStream::connect(silent).unwrap();
        let deadline = Instant::now() + Duration::from_millis(400);
        let stream = connect(&[silent, alive], deadline).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
    }
}
