//! `POST /v1/rooms/{room}/messages`: sends to all members as `@backend`, which need not be one. Once the bus has it the
//! message has its outcome: nobody confirms it (docs/delivery.md).

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_core::RoomSend;
use switchboard_protocol::{MessageKind, RoomId};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    idempotency::IdempotencyKey,
    input::{Body, Names},
    sender::BackendSender,
    sending::{self, SentMessage, default_kind, payload},
};
use crate::problem::Problem;

/// A message for a room.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomMessage {
    /// The `type` that the members see.
    #[serde(default = "default_kind", rename = "type")]
    kind: MessageKind,
    /// Any JSON value. The members get its bytes unchanged.
    #[schema(value_type = Value)]
    payload: Box<RawValue>,
}

/// Sends a message to all members of a room as `@backend`.
#[utoipa::path(
    post,
    path = "/v1/rooms/{room}/messages",
    tag = "rooms",
    params(
        ("room" = RoomId, Path, description = "The room."),
        ("Idempotency-Key" = Option<String>, Header, description = "Calls with the same key send once.", min_length = 1, max_length = 128, pattern = "^[!-~]+$"),
    ),
    request_body = RoomMessage,
    responses(
        (status = 200, description = "The message is on its way to the members, if the room has any.", body = SentMessage),
        (status = 409, description = "`idempotency-key-in-use`: the first call has no outcome yet."),
        (status = 422, description = "`idempotency-key-reused`: the key belongs to another call."),
        (status = 504, description = "`timeout`: the bus did not confirm the message in time; it may have arrived."),
    )
)]
pub(super) async fn send_to_room(
    caller: Caller,
    Names(name): Names<String>,
    key: IdempotencyKey,
    Body(message): Body<RoomMessage>,
) -> Result<Response, Problem> {
    let room = caller.room(&name)?;
    let router = &caller.edge.router;
    let kind = message.kind;
    let payload = payload(message.payload);
    let bytes = payload.clone();
    let request = [
        b"room".as_slice(),
        name.as_bytes(),
        kind.as_str().as_bytes(),
        &bytes,
    ];
    let hand_over = |sender: &Arc<BackendSender>, id| {
        let send = RoomSend {
            room,
            kind,
            payload,
            id,
        };
        router.publish_to_room(sender.as_ref(), send);
    };
    sending::send(&caller, key, &request, hand_over).await
}
