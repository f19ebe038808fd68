//! Ports for servers that must come back at the same address.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;

/// The ports given out: below those from which systems make outgoing connections (Linux: from 32768), so that none
/// of the load's many connections sits on the port of a server that is down for a moment. Where that range was
/// widened, the load's source addresses help: none of them is 127.0.0.1.
const PORTS: Range<u16> = 16_384..32_768;

/// A port of 127.0.0.1 that nobody listens on at this moment, another one at each call.
///
/// # Errors
/// When there is none.
pub(super) fn free_port() -> anyhow::Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    // Programs that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(769);
    for _ in 0..count {
        let next = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(next).unwrap_or(0);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).context("127.0.0.1 takes no listener"),
        }
    }
    anyhow::bail!(
        "all ports of 127.0.0.1 from {} to {} are taken",
        PORTS.start,
        PORTS.end
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_lie_below_those_of_outgoing_connections_and_differ() {
        let ports = [free_port().unwrap(), free_port().unwrap()];
        assert!(ports.iter().all(|port| PORTS.contains(port)));
        assert_ne!(ports[0], ports[1]);
    }
}
