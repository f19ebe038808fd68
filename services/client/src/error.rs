//! The errors of a client, one variant for each different reaction of a caller.

use std::{fmt, time::Duration};

use serde::Deserialize;
use switchboard_protocol::FrameError;

/// A refusal of the node over HTTP (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The kind, for programs.
    pub code: String,
    /// The kind, for people.
    pub title: String,
    /// What happened this time.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.title, self.code, self.detail)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL or the token cannot be put into a request.
    #[error("the URL cannot be used: {0}")]
    Url(String),
    /// The node answered, but not with an upgrade.
    #[error("the node refused with HTTP {status}{}", .problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem document, if it was one.
        problem: Option<Problem>,
        /// How long to wait before the next attempt, if the node said so (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// No answer in time.
    #[error("the node did not answer in time")]
    Timeout,
    /// The network failed.
    #[error("the node cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    /// The WebSocket failed during the handshake.
    #[error("the handshake failed: {0}")]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
    /// The first frame was not `welcome`.
    #[error("the node's first frame was not welcome but {0}")]
    NoWelcome(String),
}

/// Why a connection ended, or why an awaited frame did not come.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The node closed the connection.
    #[error("the node closed the connection with {code} {reason}")]
    Closed {
        /// The close code; 1006 without a close frame.
        code: u16,
        /// The reason in the close frame.
        reason: String,
    },
    /// The awaited frame did not come in time.
    #[error("the awaited frame did not come in time")]
    Timeout,
    /// Too many other frames came while one was awaited.
    #[error("more than {0} other frames came while one was awaited")]
    BufferFull(usize),
    /// A frame is not of the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The WebSocket failed.
    #[error("the connection failed: {0}")]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
}
