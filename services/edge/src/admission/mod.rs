//! Who may connect: origin, token, rate, a free place – all before the node answers. Not what a client may do
//! afterwards (`switchboard_core::CommandGate`).

pub(crate) mod origin;
mod query;
mod refusal;
pub(crate) mod token;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{StatusCode, request::Parts};
use switchboard_core::{AttachRequest, ConnectionPlace};
use switchboard_protocol::{DuplicatePolicy, Grant};
use switchboard_telemetry::{BudgetScope, RefusalReason};

use crate::{limits::ConnectionPermit, problem::Problem, state::Edge};
use refusal::Refusal;

/// When a client may come back that was refused for lack of memory.
const MEMORY_RETRY: Duration = Duration::from_secs(5);

/// A client that may connect.
pub(crate) struct Admitted {
    pub(crate) edge: Arc<Edge>,
    pub(crate) grant: Grant,
    pub(crate) request: AttachRequest,
    pub(crate) permit: ConnectionPermit,
    /// Its place among the connections of its peer and its tenant.
    pub(crate) place: ConnectionPlace,
    /// When its request arrived.
    pub(crate) started: Instant,
}

/// Decides on a request for a connection. `handshake` checks the part of it that belongs to the transport.
pub(crate) async fn admit<R>(
    edge: &Arc<Edge>,
    parts: &Parts,
    handshake: impl FnOnce(&Parts) -> Result<R, Problem>,
) -> Result<(Admitted, R), Refusal> {
    let started = Instant::now();
    if edge.limits.is_refusing() {
        let problem = Problem::unavailable("draining", "the node is draining; connect again");
        return Err(Refusal::new(RefusalReason::Draining, problem));
    }
    if edge.router.is_short_of_memory() {
        let detail = "the memory of the node is nearly used up; come back after Retry-After";
        let problem = Problem::unavailable("busy", detail).retry_after(MEMORY_RETRY);
        return Err(Refusal::new(RefusalReason::Memory, problem));
    }
    let response = handshake(parts).map_err(|problem| Refusal::new(RefusalReason::BadRequest, problem))?;
    let mut request = query::attach_request(&parts.uri)?;
    let grant = verify(edge, parts).await?;
    request.reject = grant.duplicate == DuplicatePolicy::Reject;
    // After the token, so that clients without one do not use up the rate of those with one.
    edge.limits.take_connect().map_err(|wait| {
        let detail = "more clients connect than limits.connects_per_second; come back after Retry-After";
        let problem = Problem::unavailable("busy", detail).retry_after(wait);
        Refusal::new(RefusalReason::ConnectRate, problem)
    })?;
    let permit = edge.limits.acquire().ok_or_else(|| {
        let problem = Problem::unavailable("full", "the node has reached limits.connections; connect again");
        Refusal::new(RefusalReason::Limit, problem)
    })?;
    let place = edge.router.account(&grant.peer).connect().map_err(|scope| {
        let detail = match scope {
            BudgetScope::Peer => "this peer has limits.connections_per_peer open connections; close one",
            BudgetScope::Tenant | BudgetScope::Node => {
                "this tenant has limits.connections_per_tenant open connections on this node; connect again"
            }
        };
        Refusal::new(RefusalReason::Limit, Problem::unavailable("full", detail))
    })?;
    let admitted = Admitted {
        edge: Arc::clone(edge),
        grant,
        request,
        permit,
        place,
        started,
    };
    Ok((admitted, response))
}

/// Checks origin and token of a request.
pub(crate) async fn verify(edge: &Edge, request: &Parts) -> Result<Grant, Refusal> {
    if !origin::is_allowed(&request.headers, &edge.config.allowed_origins) {
        let problem = Problem::new(
            StatusCode::FORBIDDEN,
            "origin-not-allowed",
            "The origin is not allowed",
            "the page's origin is not on this node's list; add it to server.allowed_origins",
        );
        return Err(Refusal::new(RefusalReason::Origin, problem));
    }
    let Some(token) = token::find(&request.headers, &request.uri, edge.config.accept_query_token) else {
        let problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            "token-missing",
            "A token is needed",
            "send `Authorization: Bearer <JWT>`, or the subprotocols `switchboard.v1, bearer.<JWT>`",
        );
        return Err(Refusal::new(RefusalReason::Token, problem));
    };
    edge.verifier.verify(token).await.map_err(|error| {
        let reason = match error.http_status() {
            403 => RefusalReason::NotAllowed,
            503 => RefusalReason::Keys,
            _ => RefusalReason::Token,
        };
        Refusal::new(reason, Problem::from(&error))
    })
}
