//! What the commands of an operator share: which operations port they ask, whom they trust there, the token, and what its
//! refusals mean. Not the request itself (`ops_port`).

use anyhow::Context as _;
use axum::http::Uri;
use switchboard_client::Trust;
use switchboard_protocol::Secret;

use super::{
    ops_port::{self, Answer},
    peer::token_from_file,
};
use crate::{cli::Operator, config};

/// An operations port.
pub(super) struct Target {
    /// Its URL without a path.
    pub(super) root: String,
    pub(super) trust: Trust,
}

impl Target {
    /// The one at `url`.
    pub(super) fn given(operator: &Operator, url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            root: url.trim_end_matches('/').to_owned(),
            trust: ca_file(operator)?.unwrap_or_default(),
        })
    }

    /// The one of the configuration. Its certificate is for the public host and not for the address that is asked, but it is at
    /// hand: no other one is taken.
    pub(super) fn configured(operator: &Operator) -> anyhow::Result<Self> {
        let config = config::load(operator.config.as_deref())?;
        let own = config.ops.tls.cert_file.as_deref().map(Trust::exactly);
        let trust = match ca_file(operator)? {
            Some(trust) => trust,
            None => own.transpose().context("ops.tls.cert_file")?.unwrap_or_default(),
        };
        Ok(Self {
            root: ops_port::root(&config),
            trust,
        })
    }
}

fn ca_file(operator: &Operator) -> anyhow::Result<Option<Trust>> {
    let trust = operator.ca_file.as_deref().map(Trust::with_ca_file);
    trust.transpose().context("--ca-file")
}

/// The token of the command line, the environment or the configuration.
pub(super) fn token(operator: &Operator) -> anyhow::Result<Secret> {
    if let Some(file) = &operator.token_file {
        return token_from_file(file);
    }
    if let Some(token) = &operator.token {
        return Ok(Secret::new(token.trim()));
    }
    let configured = config::load(operator.config.as_deref())?.ops.check()?.token;
    configured.context(
        "this needs the token of the operations port (`ops.token_file` of the node): --token-file, \
         SWITCHBOARD_OPS_TOKEN, or the node's own --config",
    )
}

/// The body of a 200. Each other answer is an error that says what to change.
pub(super) fn body(url: &Uri, answer: Answer) -> anyhow::Result<String> {
    let body = answer.body.trim_end();
    match answer.status {
        200 => Ok(body.to_owned()),
        401 => anyhow::bail!(
            "the node refused this token; the right one is in `ops.token_file` of the node (--token-file, \
             SWITCHBOARD_OPS_TOKEN)"
        ),
        403 | 503 => anyhow::bail!("{body}"),
        404 if !body.is_empty() => anyhow::bail!("{body}"),
        404 => anyhow::bail!("{url} is not there; the node may be of an earlier version"),
        status => anyhow::bail!("{url} answered {status}: {body}"),
    }
}
