//! What a caller sees of a proxied connection. Not the connection itself (`link`).

/// One end of a proxied connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that connected to the proxy.
    Client,
    /// The server behind the proxy.
    Upstream,
}

/// An open connection, as it was when asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Counts up from 0 in the order of opening; never used again.
    pub id: u64,
    /// Bytes forwarded from the client to the upstream.
    pub bytes_to_upstream: u64,
    /// Bytes forwarded from the upstream to the client.
    pub bytes_to_client: u64,
    /// Whether the client sent Redis' `SUBSCRIBE`, first or right behind its credentials.
    pub subscribes: bool,
}
