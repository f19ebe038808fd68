//! `POST /v1/peers/{peer}/messages`: sends as `@backend` and waits for the outcome. A send has the same outcomes as a
//! peer's (docs/delivery.md).

use std::time::Duration;

use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_core::SendRequest;
use switchboard_protocol::{MessageKind, PeerId};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    idempotency::IdempotencyKey,
    input::{Body, Names, WholeNumber, whole_number},
    sending::{self, SentMessage, default_kind, payload},
};
use crate::problem::Problem;

/// A message for a peer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerMessage {
    /// The `type` that the receiver sees.
    #[serde(default = "default_kind", rename = "type")]
    kind: MessageKind,
    /// Any JSON value. The receiver gets its bytes unchanged.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
    /// How long it may wait if the receiver is offline, in milliseconds; at most `limits.hold_ms`.
    #[serde(default, deserialize_with = "whole_number")]
    #[schema(value_type = Option<WholeNumber>, inline)]
    hold_ms: Option<u64>,
}

/// Sends a message to a peer as `@backend`, and waits for its outcome.
#[utoipa::path(
    post,
    path = "/v1/peers/{peer}/messages",
    tag = "peers",
    params(
        ("peer" = PeerId, Path, description = "The receiver."),
        ("Idempotency-Key" = Option<String>, Header, description = "Calls with the same key send once.", min_length = 1, max_length = 128, pattern = "^[!-~]+$"),
    ),
    request_body = PeerMessage,
    responses(
        (status = 200, description = "The receiver has the message.", body = SentMessage),
        (status = 202, description = "The receiver is not connected; the message waits for it.", body = SentMessage),
        (status = 404, description = "`peer-offline`: no such peer is connected or resumable."),
        (status = 409, description = "`idempotency-key-in-use`: the first call has no outcome yet."),
        (status = 410, description = "`expired`: the message of the first call was queued, and its receiver did not return."),
        (status = 422, description = "`idempotency-key-reused`: the key belongs to another call."),
        (status = 504, description = "`timeout`: nobody confirmed the message in time; it may have arrived."),
    )
)]
pub(super) async fn send_to_peer(
    caller: Caller,
    Names(peer): Names<String>,
    key: IdempotencyKey,
    Body(message): Body<PeerMessage>,
) -> Result<Response, Problem> {
    let to = caller.peer(&peer)?;
    let router = &caller.edge.router;
    let kind = message.kind;
    let payload = payload(message.payload);
    let hold = Duration::from_millis(message.hold_ms.unwrap_or_default()).min(router.limits().hold);
    let hold = (!hold.is_zero()).then_some(hold);
    let bytes = payload.clone();
    let request = [
        b"peer".as_slice(),
        peer.as_bytes(),
        kind.as_str().as_bytes(),
        &bytes,
    ];
    let hand_over = |sender: &_, id| {
        let request = SendRequest {
            to,
            kind,
            payload,
            id,
            hold,
        };
        router.send(sender, request);
    };
    sending::send(&caller, key, &request, hand_over).await
}
