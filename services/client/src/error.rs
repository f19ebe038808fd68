//! What can go wrong, told apart by what a caller can do about it.

use std::fmt;

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

/// Why a connection cannot go on, or an expectation was not met.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The node closed the connection.
    #[error("the node closed the connection with {code} {reason}")]
    Closed {
        /// The close code; 1006 when there was no close frame.
        code: u16,
        /// The reason in the close frame.
        reason: String,
    },
    /// Nothing of the kind came in time.
    #[error("nothing of the kind came in time")]
    Timeout,
    /// More frames came than are kept while something else is awaited.
    #[error("more than {0} frames came while another was awaited")]
    InboxFull(usize),
    /// A frame is not of the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The WebSocket failed.
    #[error("the connection failed: {0}")]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
}
