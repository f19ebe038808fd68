//! `POST /v1/peers/{peer}/messages`: sends as `@backend` and waits for the outcome. A send has the same outcomes as a
//! peer's (docs/delivery.md).

use std::time::{Duration, Instant};

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchboard_protocol::{ErrorCode, MessageKind, Mid, PeerId, ReceiptStatus, SendOutcome};
use tokio::{sync::watch, time::timeout};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    failure,
    input::{Body, Names},
    sender::Progress,
};
use crate::problem::Problem;

/// How much longer than the send's own deadline a call waits: core ends every send, so this only covers its timer.
const MARGIN: Duration = Duration::from_secs(2);

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OutgoingMessage {
    /// The `type` that the receiver sees.
    #[serde(default = "message", rename = "type")]
    kind: MessageKind,
    /// Any JSON value. The receiver gets its bytes unchanged.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
}

const fn message() -> MessageKind {
    MessageKind::Message
}

/// A message that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SentMessage {
    /// The message's name for ever, as its receiver sees it.
    #[schema(example = "Q29mZmVlIGlzIGdv/17")]
    mid: String,
    /// `delivered` and `published` are final.
    status: ReceiptStatus,
}

/// Sends a message to a peer as `@backend`, and waits for its outcome.
#[utoipa::path(
    post,
    path = "/v1/peers/{peer}/messages",
    tag = "peers",
    params(("peer" = PeerId, Path, description = "The receiver.")),
    request_body = OutgoingMessage,
    responses(
        (status = 200, description = "The receiver has the message.", body = SentMessage),
        (status = 202, description = "The receiver is detached; the message waits for it.", body = SentMessage),
        (status = 404, description = "`peer-offline`: no such peer is connected or resumable."),
        (status = 504, description = "`timeout`: nobody confirmed the message in time; it may have arrived."),
    )
)]
pub(super) async fn send_to_peer(
    caller: Caller,
    Names(peer): Names<String>,
    Body(message): Body<OutgoingMessage>,
) -> Result<Response, Problem> {
    let edge = &caller.edge;
    let to = caller.peer(&peer)?;
    let sender = edge.senders.of(&edge.router, &caller.grant.peer, Instant::now());
    let sender = sender.ok_or_else(|| failure::of(ErrorCode::RateLimited))?;
    let payload = Bytes::from(String::from(Box::<str>::from(message.payload)));
    let (mid, progress) = sender.send(&edge.router, to, message.kind, payload);
    answer(
        mid,
        first_report(progress, edge.router.limits().send_deadline + MARGIN).await,
    )
}

/// The first report on a send.
async fn first_report(mut progress: watch::Receiver<Progress>, patience: Duration) -> Progress {
    let report = timeout(
        patience,
        progress.wait_for(|progress| *progress != Progress::Pending),
    );
    match report.await {
        Ok(Ok(progress)) => *progress,
        Ok(Err(_)) | Err(_) => Progress::Ended(SendOutcome::Error(ErrorCode::Timeout)),
    }
}

fn answer(mid: Mid, progress: Progress) -> Result<Response, Problem> {
    let (status, receipt) = match progress {
        Progress::Ended(SendOutcome::Delivered) => (StatusCode::OK, ReceiptStatus::Delivered),
        Progress::Ended(SendOutcome::Published) => (StatusCode::OK, ReceiptStatus::Published),
        Progress::Queued => (StatusCode::ACCEPTED, ReceiptStatus::Queued),
        Progress::Ended(SendOutcome::Error(code)) => return Err(failure::of(code)),
        Progress::Pending => return Err(failure::of(ErrorCode::Timeout)),
    };
    let sent = SentMessage {
        mid: mid.to_string(),
        status: receipt,
    };
    Ok((status, Json(sent)).into_response())
}
