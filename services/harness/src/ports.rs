//! Ports for servers that run as child processes and come back at the same address. Not for servers of this process:
//! those bind port 0 themselves.

use std::{io, net::Ipv4Addr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1 that belongs to its owner until it is dropped.
///
/// A child learns its port before it binds it, so another program could bind it first. This cannot happen here: the guard
/// holds a socket that is bound to port 0 with `SO_REUSEADDR` and never listens. Linux gives this port to
/// nobody who asks for any port (bind to port 0, connect), also while the server is down. A server that names the
/// port and sets `SO_REUSEADDR` may listen on it; tokio, Redis, Node.js, Go and coturn all set it. While no server
/// listens, connections are refused as usual.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _reservation: TcpSocket,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Errors
    /// When the system has none.
    pub fn reserve() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self {
            number: socket.local_addr()?.port(),
            _reservation: socket,
        })
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::ErrorKind,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn a_reserved_port_is_refused_until_a_server_listens_and_can_be_bound_again() {
        let port = Port::reserve().unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.number());
        for _ in 0..2 {
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            let server = TcpListener::bind(address).unwrap();
            TcpStream::connect(address).unwrap();
            drop(server);
        }
    }

    #[test]
    fn nobody_who_asks_for_any_port_gets_a_reserved_one() {
        let port = Port::reserve().unwrap();
        let others: Vec<_> = (0..200).map(|_| Port::reserve().unwrap()).collect();
        assert!(others.iter().all(|other| other.number() != port.number()));
    }
}
