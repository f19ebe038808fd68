//! The part that all sends of backends share: the first report on it as the answer, and one
//! outcome for all calls with the same `Idempotency-Key`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use switchboard_core::Sender as _;
use switchboard_protocol::{ErrorCode, MessageId, MessageKind, Mid, ReceiptStatus, SendOutcome};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    failure,
    idempotency::{Begun, IdempotencyKey, NotedCall},
    sender::{BackendSender, Progress},
};
use crate::problem::Problem;

/// How much longer than the send's own deadline a call waits: core ends every send, so this only covers its timer.
const MARGIN: Duration = Duration::from_secs(2);

/// The kind of a message whose body names none.
pub(super) const fn default_kind() -> MessageKind {
    MessageKind::Message
}

/// A payload as a send takes it.
pub(super) fn payload(json: Box<RawValue>) -> Bytes {
    Bytes::from(String::from(Box::<str>::from(json)))
}

/// A message that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SentMessage {
    /// The message's name for ever, as its receivers see it.
    #[schema(example = "Q29mZmVlIGlzIGdv/17")]
    mid: String,
    /// `delivered` and `published` are final.
    status: ReceiptStatus,
}

/// Sends once for all calls with the same key, and answers with the first report. `request` is all that tells calls
/// apart; `hand_over` gives the send with its id to the router.
pub(super) async fn send(
    caller: &Caller,
    key: IdempotencyKey,
    request: &[&[u8]],
    hand_over: impl FnOnce(&Arc<BackendSender>, MessageId),
) -> Result<Response, Problem> {
    let edge = &caller.edge;
    let patience = edge.router.limits().send_deadline + MARGIN;
    let tenant = caller.grant.peer.tenant();
    let noted = match key
        .begin(&edge.call_records, tenant, request, patience + MARGIN)
        .await?
    {
        Begun::First(noted) => noted,
        Begun::Before((mid, progress)) => {
            let mut response = answer(mid, progress)?;
            let replayed = http::HeaderValue::from_static("true");
            response.headers_mut().insert("idempotency-replayed", replayed);
            return Ok(response);
        }
    };
    let sender = edge.senders.of(&edge.router, &caller.grant.peer, Instant::now());
    let sender = sender.ok_or_else(|| failure::of(ErrorCode::RateLimited))?;
    if let Some(account) = sender.account() {
        account.apply(caller.grant.limits.as_deref());
    }
    let (mid, mut progress) = sender.send(|id| hand_over(&sender, id));
    let first = match noted {
        None => first_report(&mut progress, patience).await,
        Some(noted) => {
            let (report, first) = oneshot::channel();
            // It goes on if the caller gives up, because the caller will ask again. It ends with the send.
            edge.connections
                .spawn(note_all(noted, mid, progress, patience, report));
            first.await.unwrap_or(Progress::Pending)
        }
    };
    answer(mid.to_string(), first)
}

/// Notes the first report on a send and its outcome.
async fn note_all(
    noted: NotedCall,
    mid: Mid,
    mut progress: watch::Receiver<Progress>,
    patience: Duration,
    report: oneshot::Sender<Progress>,
) {
    let first = first_report(&mut progress, patience).await;
    noted.note(&mid, first).await;
    // The caller may have given up.
    let _ = report.send(first);
    if first == Progress::Queued {
        let ended = progress
            .wait_for(|progress| matches!(progress, Progress::Ended(_)))
            .await;
        let ended = ended.map(|ended| *ended);
        if let Ok(ended) = ended {
            noted.note(&mid, ended).await;
        }
    }
}

/// The first report on a send.
async fn first_report(progress: &mut watch::Receiver<Progress>, patience: Duration) -> Progress {
    let report = timeout(
        patience,
        progress.wait_for(|progress| *progress != Progress::Pending),
    );
    match report.await {
        Ok(Ok(progress)) => *progress,
        Ok(Err(_)) | Err(_) => Progress::Ended(SendOutcome::Error(ErrorCode::Timeout)),
    }
}

fn answer(mid: String, progress: Progress) -> Result<Response, Problem> {
    let (code, status) = match progress {
        Progress::Ended(SendOutcome::Delivered) => (StatusCode::OK, ReceiptStatus::Delivered),
        Progress::Ended(SendOutcome::Published) => (StatusCode::OK, ReceiptStatus::Published),
        Progress::Queued => (StatusCode::ACCEPTED, ReceiptStatus::Queued),
        Progress::Ended(SendOutcome::Error(code)) => return Err(failure::of(code)),
        Progress::Pending => return Err(failure::of(ErrorCode::Timeout)),
    };
    Ok((code, Json(SentMessage { mid, status })).into_response())
}
