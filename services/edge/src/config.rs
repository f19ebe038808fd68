//! The settings of the public port. The node fills them from `[server]` and `[limits]`.

use std::{os::fd::RawFd, time::Duration};

/// Settings of the public port.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// Origins whose pages may connect, as in the `Origin` header; `*` allows all. Pages from the node's own host
    /// may always connect, and so may clients that are not browsers (they send no `Origin`).
    pub allowed_origins: Vec<String>,
    /// Whether `?access_token=` is accepted.
    pub accept_query_token: bool,
    /// The most open connections.
    pub max_connections: usize,
    /// The most connections in their HTTP part (handshake, small requests) at the same time.
    pub max_handshakes: usize,
    /// Verified clients admitted per second in the long run, and twice as many at once: the clients of a failed node
    /// come at a rate that the shared records can follow.
    pub connects_per_second: u32,
    /// How long a client may take to send the head of a request, and to stay idle between two requests.
    pub handshake_timeout: Duration,
    /// The first number of a file that a client's connection may not have; the files from there on are kept for the
    /// operations port and the bus.
    pub first_reserved_file: RawFd,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            accept_query_token: true,
            max_connections: 100_000,
            max_handshakes: 4096,
            connects_per_second: 4000,
            handshake_timeout: Duration::from_secs(10),
            first_reserved_file: RawFd::MAX,
        }
    }
}
