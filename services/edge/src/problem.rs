//! Refusals over HTTP as problem documents (RFC 9457). Not the errors inside a connection, which are
//! protocol events.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use switchboard_auth::TokenError;
use utoipa::ToSchema;

/// Seconds after which a client that was refused for lack of room may try again.
const RETRY_AFTER_S: u64 = 2;

const CONTENT_TYPE: &str = "application/problem+json";

/// One refusal, in the form of its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A URN that names the kind.
    r#type: Box<str>,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, and what to do about it.
    detail: Box<str>,
    /// The kind as a code.
    code: &'static str,
    /// When to try again, as in the `Retry-After` header but in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Headers that belong to the answer, as `Allow` does to a 405.
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of the kind `code`.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            r#type: format!("urn:switchboard:problem:{code}").into(),
            title,
            status: status.as_u16(),
            detail: detail.into().into(),
            code,
            retry_after_ms: None,
            headers: Vec::new(),
        }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// A request that is not valid.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "The request is not valid", detail)
    }

    /// Adds the time after which the client may try again.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        self
    }

    /// The node is full or draining; the client should try again, on another node if there is one.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            "This node takes no new connections now",
            detail,
        )
    }

    /// The whole answer as bytes, for a connection of which no request is read.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let status = self.status();
        let body = serde_json::to_string(&self).unwrap_or_default();
        let retry_after = self.retry_after_s();
        let retry_after = retry_after.map(|seconds| format!("retry-after: {seconds}\r\n"));
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {CONTENT_TYPE}\r\ncache-control: no-store\r\n{}\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            retry_after.unwrap_or_default(),
            body.len()
        )
        .into_bytes()
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// A 503 always says when to try again.
    fn retry_after_s(&self) -> Option<u64> {
        match self.retry_after_ms {
            // Whole seconds, rounded up (RFC 9110, section 10.2.3).
            Some(wait_ms) => Some(wait_ms.div_ceil(1000)),
            None => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S),
        }
    }
}

impl From<&TokenError> for Problem {
    fn from(error: &TokenError) -> Self {
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let problem = Self::new(status, error.code(), "The token was refused", error.to_string());
        match error.retry_after_s() {
            Some(seconds) => problem.retry_after(Duration::from_secs(seconds)),
            None => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry_after_s = self.retry_after_s();
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 11.6.1: a 401 names the scheme it wants.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
