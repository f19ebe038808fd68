//! Whether the named servers are there, are of the named kind and accept this run's tokens: one connect to each, before
//! any load. The other checks of `preflight` connect to nothing.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use reqwest::Url;
use switchboard_client::{Client, ConnectError, ConnectOptions};
use switchboard_protocol::Secret;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    drivers::tokens::Tokens,
    fleet::Key,
    observe::Ops,
    scenario::{DriverKind, Target},
};

/// How long a server may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// Connects once to every address, as a peer whose name begins with `tag`.
///
/// # Errors
/// With a sentence for each server that does not fit, and the fix.
pub(crate) async fn check_target(target: &Target, key: &Key, tag: &str) -> anyhow::Result<()> {
    let is_ours = target.driver == DriverKind::Switchboard;
    let tokens = is_ours.then(|| Tokens::new(key, target.audience.as_deref()));
    let tokens = tokens.transpose().with_context(|| key_name(target))?;
    let asked = target.urls.iter().enumerate().map(async |(number, url)| {
        let problem = match &tokens {
            Some(tokens) => match tokens.mint(&format!("{tag}-{number}")) {
                Ok(token) => ask_node(url, token, target).await,
                Err(error) => Some(format!("{}: {error}", key_name(target))),
            },
            None => ask_port(url).await,
        };
        problem.map(|problem| format!("{url}: {problem}"))
    });
    let ops = Ops::new()?;
    let asked_ops = target.ops_urls.iter().map(async |url| {
        let problem = match timeout(ANSWER_TIME, ops.metrics(url)).await {
            Ok(Ok(text)) if text.contains("switchboard_") => return None,
            Ok(Ok(_)) => "its /metrics are not those of a node".to_owned(),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => silence(),
        };
        Some(format!(
            "{url}: {problem}; give the operations port of the node (`server.ops_listen`)"
        ))
    });
    let (problems, of_ops) = tokio::join!(join_all(asked), join_all(asked_ops));
    let problems: Vec<String> = problems.into_iter().chain(of_ops).flatten().collect();
    anyhow::ensure!(
        problems.is_empty(),
        "nothing was started:\n  - {}",
        problems.join("\n  - ")
    );
    Ok(())
}

async fn ask_node(url: &str, token: Secret, target: &Target) -> Option<String> {
    let mut options = ConnectOptions::new(url, token);
    options.timeout = ANSWER_TIME;
    match target.trust() {
        Ok(trust) => options.trust = trust,
        Err(error) => return Some(format!("{error:#}")),
    }
    match Client::connect(&options).await {
        Ok(client) => {
            client.close().await;
            None
        }
        Err(error) => Some(explain(&error, target)),
    }
}

async fn ask_port(url: &str) -> Option<String> {
    let url: Option<Url> = url.parse().ok();
    let is_redis = |url: &Url| url.scheme() == "redis";
    let port = |url: &Url| {
        url.port_or_known_default()
            .or(Some(6379).filter(|_| is_redis(url)))
    };
    let Some(address) = url.and_then(|url| Some((url.host_str()?.to_owned(), port(&url)?))) else {
        return Some("names no host and port".to_owned());
    };
    let why = match timeout(ANSWER_TIME, TcpStream::connect(address)).await {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => silence(),
    };
    Some(format!("{why}; start the server, or correct the address"))
}

fn silence() -> String {
    format!("no answer within {} s", ANSWER_TIME.as_secs())
}

/// The problem, and its fix.
fn explain(error: &ConnectError, target: &Target) -> String {
    const NO_NODE: &str = "this is no Switchboard node; its clients connect to `server.listen` with the path /v1/ws, for \
        example ws://127.0.0.1:8080/v1/ws";
    match error {
        ConnectError::Io(error) if error.to_string().contains("certificate") => {
            format!("{error}; name its authority with --ca-file")
        }
        ConnectError::Io(error) => format!("{error}; start the node, or correct the address"),
        ConnectError::Timeout => format!("{}; {NO_NODE}", silence()),
        ConnectError::Url(why) => why.clone(),
        ConnectError::WebSocket(error) => format!("{error}; {NO_NODE}"),
        ConnectError::NoWelcome(_) => NO_NODE.to_owned(),
        ConnectError::Refused {
            status,
            problem: None,
            ..
        } => format!("HTTP {status}; {NO_NODE}"),
        ConnectError::Refused {
            status,
            problem: Some(problem),
            ..
        } => {
            let key = key_name(target);
            let fix = match (status, problem.code.as_str()) {
                (_, "token-audience") => "set target.audience to the `auth.audience` of the node".to_owned(),
                (_, code) if code.starts_with("token-") => {
                    format!("{key} must be a key that the node trusts (`[auth]` in its configuration)")
                }
                (429 | 503, _) => "the node does not accept clients now".to_owned(),
                _ => "correct the address, or the configuration of the node".to_owned(),
            };
            format!("{problem}; {fix}")
        }
    }
}

/// The file that tokens are signed with.
fn key_name(target: &Target) -> String {
    let file = target.key_file.as_ref().or(target.secret_file.as_ref());
    file.map_or_else(
        || "the key of the agent".to_owned(),
        |file| file.display().to_string(),
    )
}
