//! Bounded GET requests to key servers, and the authorities that may certify these. Not what the answers mean (`jwks_fetch`,
//! `discovery`), and not when to ask (`jwks`).

use std::{error::Error, path::Path, time::Duration};

use parking_lot::RwLock;
use reqwest::{Certificate, Client, Response, Url, header::CACHE_CONTROL, redirect::Policy};

use crate::{
    AuthConfigError,
    jwks_error::{FETCH_TIMEOUT_MS, JwksError, MAX_JWKS_BYTES},
    watched_files::Contents,
};

/// The largest file of authorities, in bytes. The bundle of a Linux distribution has about 220,000.
pub const MAX_CA_FILE_BYTES: u64 = 1_048_576;

/// Asks the key servers of all issuers. Its authorities can be replaced.
pub(crate) struct KeyClient(RwLock<Client>);

pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    /// The answer's `Cache-Control: max-age`, in seconds.
    pub(crate) max_age_s: Option<u64>,
}

impl KeyClient {
    pub(crate) const fn new(client: Client) -> Self {
        Self(RwLock::new(client))
    }

    /// From now on requests go out by `client`.
    pub(crate) fn replace(&self, client: Client) {
        *self.0.write() = client;
    }

    /// # Errors
    /// [`JwksError`] without the URL, because its query may contain a secret.
    pub(crate) async fn get(&self, url: &Url) -> Result<Answer, JwksError> {
        let client = self.0.read().clone();
        let response = client.get(url.clone()).send().await.map_err(request_error)?;
        if response.status().as_u16() != 200 {
            return Err(JwksError::Status(response.status().as_u16()));
        }
        let max_age_s = max_age_s(&response);
        let body = read(response).await?;
        Ok(Answer { body, max_age_s })
    }
}

/// A client that trusts the system's authorities and those in `ca_file`.
///
/// # Errors
/// When these are none.
pub(crate) fn client(ca_file: Option<&Path>, contents: &Contents) -> Result<Client, AuthConfigError> {
    let refused = |problem: String| AuthConfigError {
        key: "tls.ca_file".into(),
        problem: format!("{problem}; it must hold certificates in PEM form"),
    };
    let mut authorities = Vec::new();
    if let Some(path) = ca_file {
        let pem = contents.file(path).map_err(refused)?;
        let named = |problem: &str| refused(format!("{}: {problem}", path.display()));
        authorities = Certificate::from_pem_bundle(pem).map_err(|error| named(&causes(error)))?;
        if authorities.is_empty() {
            return Err(named("it has no certificate"));
        }
    }
    Client::builder()
        .timeout(Duration::from_millis(FETCH_TIMEOUT_MS))
        .redirect(Policy::none())
        .pool_max_idle_per_host(1)
        .tls_certs_merge(authorities)
        .build()
        .map_err(|error| refused(causes(error)))
}

/// What a URL of keys may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http {
    /// `https`, or `http` on this machine.
    Loopback,
    /// The operator's choice: `https`, or `http` within a trusted network.
    Allowed,
}

/// Reads a URL of keys.
///
/// # Errors
/// A sentence without the URL.
pub(crate) fn key_url(text: &str, http: Http) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "https" => {}
        "http" if http == Http::Allowed || is_loopback(&url) => {}
        "http" => return Err("the scheme is http, which is accepted for loopback addresses only".into()),
        _ => return Err("the scheme is not https".into()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Every display of the configuration would show it, and public keys need no password.
        return Err("it carries a user name or password".into());
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn read(mut response: Response) -> Result<Vec<u8>, JwksError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(request_error)? {
        if body.len() + chunk.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn request_error(error: reqwest::Error) -> JwksError {
    if error.is_timeout() {
        JwksError::Timeout
    } else {
        JwksError::Request(causes(error))
    }
}

/// The error with its causes. The text of reqwest alone is only "error sending request".
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

fn max_age_s(response: &Response) -> Option<u64> {
    let directives = response.headers().get(CACHE_CONTROL)?.to_str().ok()?;
    directives
        .split(',')
        .find_map(|directive| match directive.trim().split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("max-age") => {
                value.trim_matches('"').parse().ok()
            }
            Some(_) | None => None,
        })
}
