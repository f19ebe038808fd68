//! `POST /v1/messages`: commands of a client whose connection carries only events. `session` names the connection by its
//! resume token, `node` the node that has it; any node takes them. Each command has its answer over the connection.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde_json::json;
use switchboard_protocol::{RelayBody, RelayOutcome, ResumeToken, Secret};
use tokio::time::timeout;

use crate::{
    admission::{self, query},
    commands::{MAX_COMMANDS, max_bytes, relay::RelayError},
    problem::Problem,
    state::Edge,
};

pub(super) async fn post(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match take(&edge, &parts, body).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "accepted": true }))).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn take(edge: &Edge, parts: &Parts, body: Body) -> Result<(), Problem> {
    let verified = admission::verify(edge, parts).await;
    let grant = verified.map_err(|refusal| refusal.counted(edge))?;
    let token = query::value(&parts.uri, "session").and_then(|text| ResumeToken::parse(text).ok());
    let token = token.ok_or_else(|| {
        Problem::bad_request("session-invalid", "`session` is the `resume_token` of `welcome`")
    })?;
    let node = query::node(&parts.uri)?.unwrap_or_else(|| edge.router.node().clone());
    let message_bytes = edge.router.limits().message_bytes;
    let text = read(edge, body, max_bytes(message_bytes)).await?;
    let outcome = if node == *edge.router.node() {
        let inputs = edge.relay.inputs();
        Ok(inputs.offer(&token, &grant.peer, &text, message_bytes))
    } else {
        let body = RelayBody::Commands(Secret::new(text));
        edge.relay.send(&node, token, &grant.peer, body).await
    };
    match outcome {
        Ok(RelayOutcome::Taken) => Ok(()),
        Ok(RelayOutcome::NoSession) => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "session-not-found",
            "The session has no connection there",
            "open `/v1/events` or `/v1/poll` with `resume`, and use `node` of the new `welcome`",
        )),
        Ok(RelayOutcome::Invalid) => Err(Problem::bad_request(
            "bad-frame",
            format!("send one command, or a JSON array of at most {MAX_COMMANDS}"),
        )),
        Ok(RelayOutcome::Busy | RelayOutcome::Batch { .. }) | Err(RelayError::Busy) => {
            Err(Problem::unavailable(
                "busy",
                "too many commands wait for this connection; come back after Retry-After",
            ))
        }
        Err(RelayError::NoAnswer) => Err(Problem::unavailable(
            "bus-unavailable",
            "the session's node did not answer; resume the session, then repeat the commands with the same ids",
        )),
    }
}

async fn read(edge: &Edge, body: Body, limit: usize) -> Result<String, Problem> {
    let read = timeout(edge.config.handshake_timeout, to_bytes(body, limit)).await;
    let bytes = read.ok().and_then(Result::ok).ok_or_else(|| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload-too-large",
            "The request is too large or too slow",
            format!("at most {limit} bytes are read; send fewer commands at once"),
        )
    })?;
    String::from_utf8(bytes.into()).map_err(|_| Problem::bad_request("bad-frame", "commands are UTF-8"))
}
