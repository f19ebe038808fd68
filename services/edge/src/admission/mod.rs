//! Who may connect: origin, token, rate, a free place – all before the node answers. Not what a client may do
//! afterwards (`switchboard_core::CommandGate`).

pub(crate) mod network;
pub(crate) mod origin;
pub(crate) mod origin_list;
mod page_origin;
pub(crate) mod query;
mod refusal;
pub(crate) mod refused_origins;
pub(crate) mod region;
pub(crate) mod token;
pub(crate) mod visitor;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{StatusCode, request::Parts};
use switchboard_auth::{Region, TokenError};
use switchboard_core::{AttachRequest, ConnectionPlace};
use switchboard_protocol::{BACKEND_PEER, DuplicatePolicy, Grant, PeerKey};
use switchboard_telemetry::{BudgetScope, Queue, RefusalReason};

use crate::{
    http_connection::TokenSeen,
    limits::{ConnectionPermit, pace::TooFast, request_pace::TooMany},
    problem::Problem,
    state::Edge,
};
use network::AddressGroup;
use refusal::Refusal;
use visitor::visitor_of;

/// When a client may come back that was refused for lack of memory.
const MEMORY_RETRY: Duration = Duration::from_secs(5);

/// When a client may come back whose address has no room in the table of rates.
const ADDRESSES_RETRY: Duration = Duration::from_secs(1);

/// A client that may connect.
pub(crate) struct Admitted {
    pub(crate) edge: Arc<Edge>,
    pub(crate) grant: Grant,
    pub(crate) request: AttachRequest,
    pub(crate) permit: ConnectionPermit,
    /// Its place among the connections of its peer and its tenant.
    pub(crate) place: ConnectionPlace,
    /// Where its TURN servers are.
    pub(crate) region: Region,
    /// The address of its client.
    pub(crate) address: AddressGroup,
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
    if grant.peer.peer() == BACKEND_PEER {
        return Err(reserved_name());
    }
    request.reject = grant.duplicate == DuplicatePolicy::Reject;
    // After the token, so that clients without one do not use up the rate of those with one.
    take_pace(edge, parts, &grant.peer, started)?;
    let permit = edge.limits.acquire().ok_or_else(|| {
        let problem = Problem::unavailable("full", "the node has reached limits.connections; connect again");
        Refusal::new(RefusalReason::Limit, problem)
    })?;
    let place = edge.router.account(&grant.peer).connect(grant.limits.as_deref()).map_err(|scope| {
        let detail = match scope {
            BudgetScope::Peer => "this peer has as many open connections as it may have; close one",
            BudgetScope::Tenant | BudgetScope::Node | BudgetScope::Address => {
                "this tenant has as many open connections as it may have, here or on all nodes; close some"
            }
        };
        Refusal::new(RefusalReason::Limit, Problem::unavailable("full", detail))
    })?;
    let admitted = Admitted {
        edge: Arc::clone(edge),
        region: region::choose(edge, &grant, parts),
        grant,
        request,
        permit,
        place,
        address: AddressGroup::of(visitor_of(parts).address),
        started,
    };
    Ok((admitted, response))
}

/// Takes one connect out of the rates of the peer, its address and the node.
fn take_pace(edge: &Edge, parts: &Parts, peer: &PeerKey, now: Instant) -> Result<(), Refusal> {
    let visitor = visitor_of(parts);
    let decision = edge.pace.take(peer, AddressGroup::of(visitor.address), now);
    if decision.is_untracked {
        edge.telemetry.queue_overflow(Queue::ConnectPace);
    }
    decision.outcome.map_err(|too_fast| match too_fast {
        TooFast::Peer(wait) => {
            let detail = "this peer connects more often than limits.peer_connects_per_second; come back after Retry-After";
            let problem = Problem::unavailable("busy", detail).retry_after(wait);
            Refusal::new(RefusalReason::PeerRate, problem)
        }
        TooFast::Node(wait) => {
            let detail = "more clients connect than limits.connects_per_second; come back after Retry-After";
            let problem = Problem::unavailable("busy", detail).retry_after(wait);
            Refusal::new(RefusalReason::ConnectRate, problem)
        }
    })
}

/// Takes one request out of the rate of its address.
fn take_request(edge: &Edge, request: &Parts) -> Result<(), Refusal> {
    let address = AddressGroup::of(visitor_of(request).address);
    let wait = match edge.requests.take(address, Instant::now()) {
        Ok(()) => return Ok(()),
        Err(TooMany::Address(wait)) => wait,
        Err(TooMany::Addresses) => {
            edge.telemetry.queue_overflow(Queue::ConnectPace);
            ADDRESSES_RETRY
        }
    };
    let detail = "this address sends more requests than limits.address_requests_per_second; come back after Retry-After";
    let problem = Problem::unavailable("busy", detail).retry_after(wait);
    Err(Refusal::new(RefusalReason::AddressRate, problem))
}

/// Checks origin and token of a request.
pub(crate) async fn verify(edge: &Edge, request: &Parts) -> Result<Grant, Refusal> {
    let tokens = token::candidates(&request.headers, &request.uri, edge.config.accept_query_token);
    verify_one_of(edge, request, tokens).await
}

/// Checks the origin of a request, and the token in its header `Authorization`. Servers can set headers, and a query
/// stands in the logs of proxies.
pub(crate) async fn verify_header(edge: &Edge, request: &Parts) -> Result<Grant, Refusal> {
    verify_one_of(edge, request, token::from_header(&request.headers).into_iter()).await
}

async fn verify_one_of<'a>(
    edge: &Edge,
    request: &'a Parts,
    tokens: impl Iterator<Item = &'a str>,
) -> Result<Grant, Refusal> {
    check_origin(edge, request)?;
    take_request(edge, request)?;
    let mut refused = None;
    for token in tokens {
        match edge.verifier.verify(token).await {
            Ok(grant) => {
                if let Some(seen) = request.extensions.get::<TokenSeen>() {
                    seen.set();
                }
                return Ok(grant);
            }
            Err(error) if token::is_foreign(&error) => {
                refused.get_or_insert(error);
            }
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    Err(refused.map_or_else(no_token, |error| bad_token(&error)))
}

/// Checks the origin of a request. A refused one is in the log.
pub(crate) fn check_origin(edge: &Edge, request: &Parts) -> Result<(), Refusal> {
    let visitor = visitor_of(request);
    origin::check(&request.headers, visitor, &edge.config.allowed_origins).map_err(|origin| {
        edge.refused_origins.note(origin, Instant::now());
        let problem = Problem::new(
            StatusCode::FORBIDDEN,
            "origin-not-allowed",
            "The origin is not allowed",
            "the page's origin is not on this node's list; add it to server.allowed_origins, or to `switchboard dev` with \
             --allow-origin",
        );
        Refusal::new(RefusalReason::Origin, problem)
    })
}

/// Nobody may pass for the backend.
fn reserved_name() -> Refusal {
    let problem = Problem::new(
        StatusCode::FORBIDDEN,
        "token-claims",
        "The token was refused",
        "`sub` is `@backend`, which is the sender of messages of the backend API",
    );
    Refusal::new(RefusalReason::NotAllowed, problem)
}

fn no_token() -> Refusal {
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "token-missing",
        "A token is needed",
        "send `Authorization: Bearer <JWT>`, or the subprotocols `switchboard.v1, bearer.<JWT>`",
    );
    Refusal::new(RefusalReason::Token, problem)
}

fn bad_token(error: &TokenError) -> Refusal {
    let reason = match error {
        TokenError::Revoked => RefusalReason::Revoked,
        TokenError::RevocationsUnknown => RefusalReason::RevocationsUnknown,
        TokenError::Claims(_) => RefusalReason::NotAllowed,
        TokenError::KeysUnavailable { .. } => RefusalReason::Keys,
        TokenError::Missing
        | TokenError::TooLarge { .. }
        | TokenError::Malformed(_)
        | TokenError::Algorithm
        | TokenError::UnknownKey
        | TokenError::AmbiguousKey
        | TokenError::Signature
        | TokenError::Expired { .. }
        | TokenError::NotYetValid { .. }
        | TokenError::Issuer
        | TokenError::Audience => RefusalReason::Token,
    };
    Refusal::new(reason, Problem::from(error))
}
