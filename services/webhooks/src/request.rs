//! One request to an endpoint, bounded in time. Not when to send it (`delivery`).

use std::{error::Error as _, path::Path, sync::Arc, time::Duration};

use reqwest::{
    Certificate, Client, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use switchboard_core::StreamEvent;
use switchboard_telemetry::WebhookOutcome;
use tokio::time::timeout;

use crate::{
    config::WebhooksConfig, endpoint::Endpoint, error::WebhooksError, observer::now_ms, signature::sign,
};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an answer's body that are read, so that its connection can be used again.
const ANSWER_BYTES: usize = 16 * 1_024;

/// How long that may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: WebhookOutcome,
    /// Why it was no success, for people.
    pub(crate) reason: String,
    /// What the endpoint asks for.
    pub(crate) retry_after: Option<Duration>,
}

/// A client for endpoints.
///
/// # Errors
/// [`WebhooksError`] when the file of authorities cannot be used.
pub(crate) fn client(config: &WebhooksConfig) -> Result<Client, WebhooksError> {
    let ca_file = config.ca_file.as_deref();
    let authorities = ca_file.map(authorities).transpose()?.unwrap_or_default();
    Client::builder()
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(config.timeout)
        // A redirect could lead into the operator's network.
        .redirect(Policy::none())
        .pool_max_idle_per_host(config.requests)
        .tls_certs_merge(authorities)
        .build()
        .map_err(|error| WebhooksError(causes(error)))
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, WebhooksError> {
    let refused = |problem: String| WebhooksError(format!("{}: {problem}", path.display()));
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| refused(causes(error)))?;
    match authorities.is_empty() {
        true => Err(refused("it has no certificate".into())),
        false => Ok(authorities),
    }
}

/// Sends `event` once.
pub(crate) async fn send(client: Client, endpoint: Arc<Endpoint>, event: StreamEvent) -> Answer {
    // The time of this attempt: the receiver refuses old ones, because somebody may repeat what was recorded.
    let at_s = now_ms() / 1_000;
    let signature = sign(&endpoint.secrets.current(), &event.id, at_s, &event.body);
    let request = client
        .post(endpoint.url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &event.id)
        .header("webhook-timestamp", at_s)
        .header("webhook-signature", signature)
        .body(event.body);
    match request.send().await {
        Ok(response) => classify(response).await,
        Err(error) if error.is_timeout() => unreachable("no answer in time".into(), None),
        Err(error) => unreachable(causes(error), None),
    }
}

async fn classify(response: Response) -> Answer {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = retry_after.map(Duration::from_secs);
    read_to_end(response).await;
    match status {
        status if status.is_success() => Answer {
            outcome: WebhookOutcome::Delivered,
            reason: String::new(),
            retry_after: None,
        },
        // The endpoint, or a proxy in front of it, takes nothing now. That is not about this event.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => unreachable(format!("HTTP {}", status.as_u16()), retry_after),
        _ => Answer {
            outcome: WebhookOutcome::Refused,
            reason: format!("HTTP {}", status.as_u16()),
            retry_after,
        },
    }
}

fn unreachable(reason: String, retry_after: Option<Duration>) -> Answer {
    Answer {
        outcome: WebhookOutcome::Unreachable,
        reason,
        retry_after,
    }
}

/// The status has decided; without this the connection could not be used again.
async fn read_to_end(mut response: Response) {
    let mut bytes = 0;
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes += chunk.len();
            if bytes > ANSWER_BYTES {
                break;
            }
        }
    };
    // An endless answer costs its connection.
    let _ = timeout(ANSWER_WITHIN, read).await;
}

/// The error with its causes, without the URL: its query may be a secret.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
