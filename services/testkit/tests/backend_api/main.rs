//! The backend API over HTTP, with real nodes: what an application's servers see.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod access;
mod examples;
mod idempotency;
mod latency;
mod messages;
mod peers;
mod revocations;
mod rooms;
mod two_clusters;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use switchboard_protocol::{Claims, Role, Secret, SwitchboardClaims};
use switchboard_testkit::{NodeProcess, claims, sign};

/// The claims of a backend of `tenant`.
fn backend_claims(tenant: &str) -> Claims {
    Claims {
        tenant: Some(tenant.into()),
        switchboard: SwitchboardClaims {
            role: Role::Backend,
            ..SwitchboardClaims::default()
        },
        ..claims("app")
    }
}

/// A token of a backend of the tenant `default`.
fn backend_token() -> Secret {
    sign(&backend_claims("default")).unwrap()
}

/// One server of an application, with its connections.
struct Backend {
    http: reqwest::Client,
    base: String,
    token: Secret,
}

/// The answer to one call.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
    retry_after: Option<String>,
    is_replayed: bool,
}

impl Answer {
    /// The status, and the `code` of a problem document or the `status` of a receipt.
    fn says(&self) -> (u16, &str) {
        let member = if self.status >= 400 { "code" } else { "status" };
        (self.status, self.body[member].as_str().unwrap_or_default())
    }
}

impl Backend {
    fn of(node: &NodeProcess) -> Self {
        Self::at(node.public_port(), backend_token())
    }

    fn at(port: u16, token: Secret) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: format!("http://127.0.0.1:{port}"),
            token,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.http.request(method, url).bearer_auth(self.token.expose())
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        answer(with_body(self.request(Method::POST, path), body)).await
    }
}

/// A request with a JSON body.
fn with_body(request: RequestBuilder, body: &str) -> RequestBuilder {
    request
        .header("content-type", "application/json")
        .body(body.to_owned())
}

/// Every error is a problem document.
async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let header = |name: &str| {
        let value = response.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let (kind, retry_after) = (header("content-type"), header("retry-after"));
    let is_replayed = header("idempotency-replayed").is_some();
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status >= 400 {
        assert_eq!(
            kind.as_deref(),
            Some("application/problem+json"),
            "{status}: {text}"
        );
        assert_eq!(body["status"], status);
        let code = body["code"].as_str().unwrap();
        assert_eq!(body["type"], format!("urn:switchboard:problem:{code}"));
    }
    Answer {
        status,
        body,
        retry_after,
        is_replayed,
    }
}
