//! One HTTP connection of the public port: which of its requests reach the routes, and what every answer has. A client
//! without a valid token gets few requests, and a refused request ends the connection.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use switchboard_telemetry::HttpRefusal;

use crate::{admission::visitor::Visitor, problem::Problem, state::Edge};

/// Requests on one connection before a valid token; pages and their files need no more.
const REQUESTS_WITHOUT_TOKEN: usize = 32;

/// Headers of a request that are read; more are a mistake or an attack.
const MAX_HEADERS: usize = 100;

/// Headers that every answer has, unless its route sets them. No answer of this port is meant for a frame.
const ANSWER_HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// In the extensions of an answer: the connection stays although the request was refused, because its client has shown
/// a valid token and goes on with other requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepsConnection;

/// Whether the client of a connection has shown a valid token; in the request's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenSeen(Arc<AtomicBool>);

impl TokenSeen {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One HTTP connection.
pub(crate) struct HttpConnection {
    edge: Arc<Edge>,
    peer: IpAddr,
    is_secure: bool,
    requests: AtomicUsize,
    token_seen: TokenSeen,
}

impl HttpConnection {
    /// A connection from `peer`, with TLS if it `is_secure`.
    pub(crate) fn new(edge: Arc<Edge>, peer: IpAddr, is_secure: bool) -> Self {
        Self {
            edge,
            peer,
            is_secure,
            requests: AtomicUsize::new(0),
            token_seen: TokenSeen::default(),
        }
    }

    /// Whether a request on this connection had a valid token.
    pub(crate) fn has_token(&self) -> bool {
        self.token_seen.is_set()
    }

    /// Prepares a request for the routes; the error is its answer.
    pub(crate) fn on_request(&self, request: &mut Request<Incoming>) -> Result<(), Problem> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let limit = self.edge.config.request_head_bytes;
        if head_bytes(request) > limit || request.headers().len() > MAX_HEADERS {
            self.edge.telemetry.http_refused(HttpRefusal::HeadTooLarge);
            return Err(head_too_large(limit));
        }
        let visitor = Visitor::of(
            self.peer,
            self.is_secure,
            request.headers(),
            &self.edge.config.trusted_proxies,
        );
        request.extensions_mut().insert(visitor);
        request.extensions_mut().insert(self.token_seen.clone());
        Ok(())
    }

    /// Completes an answer: words for an error without any, headers, and the end of the connection where it is due.
    pub(crate) fn on_answer(&self, answer: Response) -> Response {
        let mut answer = self.with_words(answer);
        let is_error = answer.status().is_client_error() || answer.status().is_server_error();
        let is_refused = is_error && answer.extensions().get::<KeepsConnection>().is_none();
        let is_spent = self.requests.load(Ordering::Relaxed) >= REQUESTS_WITHOUT_TOKEN && !self.has_token();
        let headers = answer.headers_mut();
        for (name, value) in ANSWER_HEADERS {
            headers
                .entry(name)
                .or_insert_with(|| HeaderValue::from_static(value));
        }
        if is_refused || is_spent {
            headers.append(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// The router's own refusals have no body; here they get one.
    fn with_words(&self, answer: Response) -> Response {
        let (reason, problem) = match answer.status() {
            _ if answer.body().size_hint().exact() != Some(0) => return answer,
            StatusCode::NOT_FOUND => (HttpRefusal::NotFound, not_found()),
            StatusCode::METHOD_NOT_ALLOWED => (HttpRefusal::Method, method_not_allowed(answer.headers())),
            _ => return answer,
        };
        self.edge.telemetry.http_refused(reason);
        let mut worded = problem.into_response();
        // `Allow`, and what CORS has added; the length was that of no words.
        let kept = answer.headers().iter();
        for (name, value) in kept.filter(|(name, _)| *name != header::CONTENT_LENGTH) {
            worded.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        worded
    }
}

/// Bytes of the request's head as they came over the wire, apart from superfluous spaces.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter();
    let headers: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    request.method().as_str().len() + target + " HTTP/1.1\r\n\r\n".len() + headers
}

fn head_too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "request-head-too-large",
        "The head of the request is too large",
        format!(
            "at most {limit} bytes and {MAX_HEADERS} headers are read; send fewer cookies or a shorter token, or raise \
             server.request_head_bytes"
        ),
    )
}

fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "There is nothing at this address",
        "clients connect to /v1/ws, without a slash at the end; the other addresses are /v1/ready and /v1/ice",
    )
}

fn method_not_allowed(headers: &HeaderMap) -> Problem {
    let allowed = headers.get(header::ALLOW).and_then(|value| value.to_str().ok());
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This method is not allowed here",
        format!("this address takes {}", allowed.unwrap_or("GET")),
    )
}

/// The answer to a connection for which there is no place.
pub(crate) fn no_place() -> Problem {
    let detail = "too many handshakes at the same time; come back after Retry-After";
    Problem::unavailable("busy", detail)
}
