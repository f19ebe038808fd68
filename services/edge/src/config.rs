//! The settings of the public port. The node fills them from `[server]` and `[limits]`.

use std::{os::fd::RawFd, time::Duration};

use http::HeaderName;

use crate::admission::{network::Network, origin_list::Origins};

/// Settings of the public port.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// Origins whose pages may connect. Pages from the node's own host may always connect, and so may clients that are
    /// not browsers (they send no `Origin`).
    pub allowed_origins: Origins,
    /// Whether `?access_token=` is accepted.
    pub accept_query_token: bool,
    /// Proxies whose forwarded headers name the client.
    pub trusted_proxies: Vec<Network>,
    /// The header in which those proxies name the region of a client, or a value of its `header_values`.
    pub region_header: Option<HeaderName>,
    /// Whether connections from those proxies begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// The largest head of a request, in bytes.
    pub request_head_bytes: usize,
    /// The most open connections.
    pub max_connections: usize,
    /// The most connections in their HTTP part (handshake, small requests) at the same time.
    pub max_handshakes: usize,
    /// Verified clients admitted per second in the long run, and twice as many at once: the clients of a failed node
    /// come at a rate that the shared records can follow.
    pub connects_per_second: u32,
    /// Connects per second of one peer in the long run, and four times as many at once.
    pub peer_connects_per_second: u32,
    /// Requests with a token per second of one address in the long run, and four times as many at once; 0: no bound.
    pub address_requests_per_second: u32,
    /// How long a client may take to send the head of a request, to stay idle between two requests, and to show a valid
    /// token.
    pub handshake_timeout: Duration,
    /// Whether the public port serves the backend API; else it has a port of its own.
    pub serves_backend_api: bool,
    /// Calls of the backend API that one tenant may have under way.
    pub api_calls_per_tenant: usize,
    /// The first number of a file that a client's connection may not have; the files from there on are kept for the
    /// operations port and the bus.
    pub first_reserved_file: RawFd,
}
