//! Who may come in: origin, token, room on this node – all before anything upgrades. Not what they may do
//! afterwards (`core::session`).

use std::sync::Arc;

use http::{StatusCode, request::Parts};
use switchboard_core::AttachRequest;
use switchboard_protocol::{Grant, ResumeToken};
use switchboard_telemetry::RefusalReason;

use crate::{Edge, Problem, origin, token};

/// A refusal, with the reason under which it is counted.
pub(crate) struct Refusal {
    reason: RefusalReason,
    problem: Problem,
}

impl Refusal {
    pub(crate) fn new(reason: RefusalReason, problem: Problem) -> Self {
        Self { reason, problem }
    }

    /// Counts the refusal and gives the document to answer with.
    pub(crate) fn told(self, edge: &Edge) -> Problem {
        edge.telemetry.connect_refused(self.reason);
        self.problem
    }
}

/// Checks origin and token of a request.
pub(crate) async fn verify(edge: &Arc<Edge>, request: &Parts) -> Result<Grant, Refusal> {
    if !origin::is_allowed(&request.headers, &edge.config.allowed_origins) {
        let detail = "the page's origin is not on this node's list; add it to server.allowed_origins";
        let problem = Problem::new(
            StatusCode::FORBIDDEN,
            "origin-not-allowed",
            "The origin is not allowed",
            detail,
        );
        return Err(Refusal::new(RefusalReason::Origin, problem));
    }
    let Some(token) = token::find(&request.headers, &request.uri, edge.config.accept_query_token) else {
        let detail = "send `Authorization: Bearer <JWT>`, or the subprotocols `switchboard.v1, bearer.<JWT>`";
        let problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            "token-missing",
            "A token is needed",
            detail,
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

/// What the query asks for.
pub(crate) fn wish(request: &Parts) -> Result<AttachRequest, Refusal> {
    let refuse = |code, detail| {
        Err(Refusal::new(
            RefusalReason::BadRequest,
            Problem::bad_request(code, detail),
        ))
    };
    let acks = match token::query(&request.uri, "acks") {
        None | Some("socket") => false,
        Some("client") => true,
        Some(_) => return refuse("acks-unknown", "`acks` is `socket` or `client`"),
    };
    let seen = match token::query(&request.uri, "seen").map(str::parse) {
        None => 0,
        Some(Ok(seen)) => seen,
        Some(Err(_)) => return refuse("seen-invalid", "`seen` is the `seq` of the last event received"),
    };
    let resume = match token::query(&request.uri, "resume").map(ResumeToken::parse) {
        None => None,
        Some(Ok(token)) => Some((token, seen)),
        Some(Err(_)) => {
            return refuse(
                "resume-invalid",
                "`resume` is the `resume_token` of an earlier `welcome`",
            );
        }
    };
    Ok(AttachRequest {
        resume,
        acks,
        reject: false,
    })
}
