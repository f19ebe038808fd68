//! Why a call failed, as a problem document: the protocol's error codes with their HTTP status, and the mistakes of a
//! request. The document itself is `problem`.

use std::{fmt::Display, time::Duration};

use http::StatusCode;
use switchboard_core::BrokerError;
use switchboard_protocol::ErrorCode;

use crate::problem::Problem;

/// When to repeat a call that the cluster could not carry out now.
const RETRY: Duration = Duration::from_secs(1);

/// The error of a send or of a command.
pub(super) fn of(code: ErrorCode) -> Problem {
    let problem = Problem::new(status(code), code.as_str(), title(code), code.meaning());
    match code {
        ErrorCode::RateLimited | ErrorCode::QueueFull | ErrorCode::BusUnavailable => {
            problem.retry_after(RETRY)
        }
        ErrorCode::BadFrame
        | ErrorCode::UnknownType
        | ErrorCode::BadId
        | ErrorCode::MissingField
        | ErrorCode::PayloadTooLarge
        | ErrorCode::NotAllowed
        | ErrorCode::PeerOffline
        | ErrorCode::Expired
        | ErrorCode::Timeout
        | ErrorCode::NotInRoom
        | ErrorCode::RoomFull
        | ErrorCode::TokenInvalid
        | ErrorCode::Internal => problem,
    }
}

const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadFrame | ErrorCode::UnknownType | ErrorCode::BadId | ErrorCode::MissingField => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::TokenInvalid => StatusCode::UNAUTHORIZED,
        ErrorCode::NotAllowed => StatusCode::FORBIDDEN,
        ErrorCode::PeerOffline | ErrorCode::NotInRoom => StatusCode::NOT_FOUND,
        ErrorCode::RoomFull => StatusCode::CONFLICT,
        ErrorCode::Expired => StatusCode::GONE,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::QueueFull | ErrorCode::BusUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadFrame | ErrorCode::UnknownType | ErrorCode::BadId | ErrorCode::MissingField => {
            "The request is not valid"
        }
        ErrorCode::TokenInvalid | ErrorCode::NotAllowed => "The token does not allow this",
        ErrorCode::PeerOffline => "The peer is not there",
        ErrorCode::NotInRoom => "The peer is not in the room",
        ErrorCode::RoomFull => "The room is full",
        ErrorCode::PayloadTooLarge => "The request is too large",
        ErrorCode::RateLimited => "Too many requests",
        ErrorCode::Expired | ErrorCode::Timeout | ErrorCode::QueueFull => "The message was not delivered",
        ErrorCode::BusUnavailable => "The nodes cannot reach each other",
        ErrorCode::Internal => "The node failed",
    }
}

/// The bus did not do it, or cannot say whether it did.
pub(super) fn of_broker(error: BrokerError) -> Problem {
    tracing::debug!(%error, "a call of a backend failed on the bus");
    of(ErrorCode::BusUnavailable)
}

/// The name of a peer or a room is none.
pub(super) fn bad_name(what: &str, why: &impl Display) -> Problem {
    Problem::bad_request(ErrorCode::BadId.as_str(), format!("{what}: {why}"))
}

/// The token does not allow the call.
pub(super) fn not_allowed(detail: &'static str) -> Problem {
    let code = ErrorCode::NotAllowed;
    Problem::new(status(code), code.as_str(), title(code), detail)
}

/// The caller exceeds a limit.
pub(super) fn too_many(detail: &'static str) -> Problem {
    let code = ErrorCode::RateLimited;
    Problem::new(status(code), code.as_str(), title(code), detail)
}
