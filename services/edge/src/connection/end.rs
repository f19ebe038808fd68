//! How a connection ends, and what that means for its session. Not how the client learns of it: that differs
//! between transports.

use switchboard_core::OnDisconnect;
use switchboard_protocol::{ClientShould, CloseCode, LeaveReason};

/// Close code of a frame that breaks the transport's own protocol (RFC 6455, section 7.4.1); not a code of the
/// Switchboard protocol.
pub(crate) const PROTOCOL_ERROR: u16 = 1002;

/// The code for a connection that ended without a close frame (RFC 6455, section 7.4.1).
const NO_CLOSE_FRAME: u16 = 1006;

/// How a connection's loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// The node closes with this code.
    ByNode(CloseCode),
    /// The client broke the transport's own protocol.
    ProtocolError,
    /// The client sent a close frame; the answer is under way.
    ByClient(ClientClose),
    /// The connection is gone.
    Lost,
}

/// What a client's close frame means for its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientClose {
    /// The client is done: 1000.
    Done,
    /// The page of the client goes away: 1001.
    Left,
    /// Any other code, or none: the client failed and may come back.
    Failed,
}

impl ClientClose {
    /// What the code of a client's close means; `None`: it has none.
    pub(crate) const fn of(code: Option<u16>) -> Self {
        match code {
            Some(1000) => Self::Done,
            Some(1001) => Self::Left,
            Some(_) | None => Self::Failed,
        }
    }
}

impl ConnectionEnd {
    /// What becomes of the session.
    pub(crate) const fn on_disconnect(self) -> OnDisconnect {
        match self {
            // A connection whose session continues on another one is closed with 1000.
            Self::ByNode(CloseCode::Normal) => OnDisconnect::Detach,
            Self::ByNode(code) => match code.client_should() {
                ClientShould::Stop => OnDisconnect::End,
                // A mistake of the client does not cost what it sent before.
                ClientShould::StopAndFix
                | ClientShould::Resume
                | ClientShould::ResumeAtOnce
                | ClientShould::RenewToken => OnDisconnect::Detach,
            },
            Self::ByClient(ClientClose::Done) => OnDisconnect::End,
            Self::ByClient(ClientClose::Left) => OnDisconnect::Away,
            Self::ByClient(ClientClose::Failed) | Self::ProtocolError | Self::Lost => OnDisconnect::Detach,
        }
    }

    /// What the members of its rooms hear when the session is over.
    pub(crate) const fn leave_reason(self) -> LeaveReason {
        match self {
            Self::ByNode(CloseCode::TokenEnded) => LeaveReason::Expired,
            Self::ByNode(CloseCode::Kicked) => LeaveReason::Kicked,
            Self::ByNode(CloseCode::Replaced) | Self::ByClient(ClientClose::Done) => LeaveReason::Left,
            Self::ByNode(_) | Self::ByClient(_) | Self::ProtocolError | Self::Lost => LeaveReason::Lost,
        }
    }

    /// The code under which the end is counted.
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::ByNode(code) => code.code(),
            Self::ProtocolError => PROTOCOL_ERROR,
            Self::ByClient(_) => CloseCode::Normal.code(),
            Self::Lost => NO_CLOSE_FRAME,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_only_when_its_client_says_so_or_must_not_come_back() {
        for (end, expected) in [
            (ConnectionEnd::Lost, OnDisconnect::Detach),
            (ConnectionEnd::ByClient(ClientClose::Failed), OnDisconnect::Detach),
            (ConnectionEnd::ByClient(ClientClose::Done), OnDisconnect::End),
            (ConnectionEnd::ByClient(ClientClose::Left), OnDisconnect::Away),
            (ConnectionEnd::ProtocolError, OnDisconnect::Detach),
            (ConnectionEnd::ByNode(CloseCode::Normal), OnDisconnect::Detach),
            (ConnectionEnd::ByNode(CloseCode::TooSlow), OnDisconnect::Detach),
            (ConnectionEnd::ByNode(CloseCode::Replaced), OnDisconnect::End),
            (ConnectionEnd::ByNode(CloseCode::Kicked), OnDisconnect::End),
            (ConnectionEnd::ByNode(CloseCode::TooLarge), OnDisconnect::Detach),
            (
                ConnectionEnd::ByNode(CloseCode::ProtocolViolation),
                OnDisconnect::Detach,
            ),
            (
                ConnectionEnd::ByNode(CloseCode::BinaryFrame),
                OnDisconnect::Detach,
            ),
        ] {
            assert_eq!(end.on_disconnect(), expected, "{end:?}");
        }
    }
}
