//! The operations port of a node, as a client: readiness, metrics, drain and undrain.

use std::{env, time::Duration};

use anyhow::Context as _;
use reqwest::{Client, redirect};
use switchboard_harness::{
    OPS_TOKEN,
    resp::{self, Reply},
};
use tokio::time::timeout;

/// How long an answer may take. Nodes under full load answer late, dead ones never.
const ANSWER_TIME: Duration = Duration::from_secs(3);

/// The variable with the token of the operations ports, where other people run the nodes.
const TOKEN_VARIABLE: &str = "SWITCHBOARD_OPS_TOKEN";

/// The longest body that is read, in bytes; a node's metrics are some 50 KiB.
const MAX_BODY: usize = 4 << 20;

/// A client of operations ports. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Ops(Client);

impl Ops {
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new() -> anyhow::Result<Self> {
        // A proxy would stand between us and loopback; a redirect could lead away from the targets that were allowed.
        let client = Client::builder()
            .timeout(ANSWER_TIME)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self(client))
    }

    /// Whether the node at `root` wants clients.
    #[cfg(test)]
    pub(crate) async fn is_ready(&self, root: &str) -> bool {
        let answer = self.0.get(address(root, "readyz")).send().await;
        answer.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK)
    }

    /// The text of `/metrics`; of a Redis (`redis://host:port`) the commands that it has processed.
    ///
    /// # Errors
    /// When there is no answer, another status than 200, or a body that is too long.
    pub(crate) async fn metrics(&self, root: &str) -> anyhow::Result<String> {
        if let Some((_, port)) = root
            .strip_prefix("redis://")
            .and_then(|rest| rest.rsplit_once(':'))
        {
            return timeout(ANSWER_TIME, redis_commands(port.parse()?)).await?;
        }
        let url = address(root, "metrics");
        let answer = self.0.get(&url).send().await;
        let mut answer = answer
            .and_then(reqwest::Response::error_for_status)
            .with_context(|| format!("{url} does not answer"))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .with_context(|| format!("{url} breaks off"))?
        {
            anyhow::ensure!(
                body.len() + chunk.len() <= MAX_BODY,
                "{url} is longer than {MAX_BODY} bytes; is it the operations port?"
            );
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).with_context(|| format!("{url} is no text"))
    }

    /// `drain` asks the node to move all its clients to others and to take no new ones; `undrain` ends that. Returns
    /// when the node has agreed.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn post(&self, root: &str, what: &str) -> anyhow::Result<()> {
        let url = address(root, what);
        let token = env::var(TOKEN_VARIABLE).unwrap_or_else(|_| OPS_TOKEN.to_owned());
        let answer = self.0.post(&url).bearer_auth(token).send().await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .map(drop)
            .with_context(|| format!("POST {url} fails"))
    }
}

async fn redis_commands(port: u16) -> anyhow::Result<String> {
    let Reply::Text(info) = resp::call(port, None, &["INFO", "stats"]).await? else {
        anyhow::bail!("INFO did not answer with a text");
    };
    let count = info
        .lines()
        .find_map(|line| line.strip_prefix("total_commands_processed:"));
    Ok(format!(
        "redis_commands_processed_total {}",
        count.context("Redis does not count its commands")?
    ))
}

fn address(root: &str, what: &str) -> String {
    format!("{}/{what}", root.trim_end_matches('/'))
}
