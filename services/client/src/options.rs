//! How a client connects.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use switchboard_protocol::{RegionId, Secret};

use crate::Trust;

/// Which part of the handshake carries the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenVia {
    /// `Authorization: Bearer …`.
    #[default]
    Header,
    /// The subprotocol list, as a browser must.
    Subprotocol,
    /// `?access_token=…`.
    Query,
}

/// When a message counts as delivered (docs/protocol.md, "Events").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcksBy {
    /// The frame was written to the socket.
    #[default]
    Socket,
    /// The client acknowledged it with `ack`.
    Client,
}

/// Resumes the session of an earlier connection.
#[derive(Debug, Clone)]
pub struct Resume {
    /// `resume_token` of that connection's `welcome`.
    pub token: Secret,
    /// The last `seq` the client has; 0 for none.
    pub seen: u64,
}

/// How a client connects.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// `ws://` or `wss://`, up to and including `/v1/ws`.
    pub url: String,
    /// The JWT.
    pub token: Secret,
    /// Which part of the handshake carries the token.
    pub token_via: TokenVia,
    /// When a message counts as delivered.
    pub acks: AcksBy,
    /// The session to resume, if any.
    pub resume: Option<Resume>,
    /// Where the client is, for its TURN servers (docs/ice.md): a name of A-Z a-z 0-9 . _ ~ : @ + = -.
    pub region: Option<RegionId>,
    /// The `Origin` header, if any.
    pub origin: Option<String>,
    /// The source address; a load generator needs several for many connections.
    pub bind_address: Option<IpAddr>,
    /// Where to connect, in place of an address of the URL's host. The certificate must still be for that host.
    pub address: Option<SocketAddr>,
    /// Whom the client trusts behind `wss://`.
    pub trust: Trust,
    /// How long connecting may take, up to and including `welcome`.
    pub timeout: Duration,
    /// Bytes of the read buffer.
    pub read_buffer_bytes: usize,
    /// The largest frame accepted, in bytes.
    pub message_bytes: usize,
    /// Frames that are buffered while another frame is awaited.
    pub buffered_frames: usize,
}

impl ConnectOptions {
    /// Options for `url` with a token in the header.
    pub fn new(url: impl Into<String>, token: Secret) -> Self {
        Self {
            url: url.into(),
            token,
            token_via: TokenVia::default(),
            acks: AcksBy::default(),
            resume: None,
            region: None,
            origin: None,
            bind_address: None,
            address: None,
            trust: Trust::default(),
            timeout: Duration::from_secs(10),
            read_buffer_bytes: 1024,
            message_bytes: 1024 * 1024,
            buffered_frames: 4096,
        }
    }

    /// The same with the token in another place.
    #[must_use]
    pub fn token_via(mut self, via: TokenVia) -> Self {
        self.token_via = via;
        self
    }

    /// The same with this source address.
    #[must_use]
    pub fn bind_address(mut self, address: IpAddr) -> Self {
        self.bind_address = Some(address);
        self
    }

    /// The same with this `Origin`.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }
}
