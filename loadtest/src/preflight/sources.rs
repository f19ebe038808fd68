//! Source addresses on loopback: each has its own ports, so many of them hold more connections than one.

use std::net::Ipv4Addr;

/// Connections from one address; fewer than the ports that systems have for that (Linux: 28,232), because those of
/// closed connections stay taken for a while.
pub(super) const PER_SOURCE: usize = 10_000;

/// Addresses of one worker; the last byte of an address, without 0 and 255.
const PER_WORKER: usize = 254;

/// The source address of a worker's connection; `connection` counts all that the worker ever makes. Workers share no
/// address. None is 127.0.0.1, where the servers' own connections come from.
pub(crate) fn source(worker: usize, connection: usize) -> Ipv4Addr {
    let number = worker % (PER_WORKER * PER_WORKER);
    let high = byte(1 + number / PER_WORKER);
    let middle = byte(1 + number % PER_WORKER);
    Ipv4Addr::new(127, high, middle, byte(1 + connection / PER_SOURCE % PER_WORKER))
}

fn byte(value: usize) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::TcpListener};

    use super::*;

    #[test]
    fn no_address_gets_too_many_connections_and_workers_share_none() {
        let mut counts: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
        for (worker, connections) in (0..1_000).map(|worker| (worker, if worker < 4 { 18_000 } else { 1 })) {
            for connection in 0..connections {
                *counts.entry(source(worker, connection)).or_default() += 1;
            }
        }
        assert!(counts.values().all(|count| *count <= PER_SOURCE), "{counts:?}");
        assert_eq!(counts.len(), 1_000 + 4);
        assert!(!counts.contains_key(&Ipv4Addr::LOCALHOST));
    }

    #[tokio::test]
    async fn a_connection_goes_out_from_such_an_address() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let from = source(300, 2_000_000);
        let address = listener.local_addr().unwrap();
        let _stream = switchboard_client::dial(address, Some(from.into()))
            .await
            .unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), from);
    }
}
