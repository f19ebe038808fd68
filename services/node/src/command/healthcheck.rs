//! `switchboard healthcheck`: whether a node is alive or ready, for container runtimes that can run a program but send no
//! HTTP request (the image has no shell and no curl). Not the request itself (`ops_port`).

use std::time::{Duration, Instant};

use axum::http::Uri;
use switchboard_client::Trust;

use super::ops_port::{self, Request};
use crate::{
    cli::Healthcheck,
    config::{self, ConfigError},
};

/// The longest answer read, in bytes; the reasons of `/readyz` have a few hundred.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

pub(super) fn run(check: &Healthcheck) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_millis(check.timeout_ms);
    let url = url(check)?;
    // As Kubernetes' probes: the question has no secret, and the certificate names the public host, not this address.
    let trust = Trust::anything();
    let answer = ops_port::ask(&Request::get(&url, &trust, MAX_ANSWER_BYTES), deadline)?;
    let body = answer.body.trim_end();
    anyhow::ensure!(answer.status == 200, "{url} answered {}: {body}", answer.status);
    println!("{body}");
    Ok(())
}

/// The URL to ask: the one given, or the operations port of the configuration.
fn url(check: &Healthcheck) -> Result<Uri, ConfigError> {
    let text = match &check.url {
        Some(url) => url.clone(),
        None => {
            let root = ops_port::root(&config::load(check.config.as_deref())?);
            format!("{root}/{}", if check.ready { "readyz" } else { "livez" })
        }
    };
    ops_port::url(&text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_url_that_cannot_be_asked_is_an_error_of_the_configuration() {
        let check = |url: &str| Healthcheck {
            url: Some(url.to_owned()),
            config: None,
            ready: false,
            timeout_ms: 0,
        };
        assert!(url(&check("ftp://127.0.0.1:9090/livez")).is_err());
        assert!(url(&check("127.0.0.1 9090")).is_err());
        assert!(url(&check("http://[::1]:9090/readyz")).is_ok());
        assert!(url(&check("https://127.0.0.1:9090/livez")).is_ok());
    }
}
