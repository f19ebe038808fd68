//! `switchboard status`: the state of the cluster, asked of nodes and printed once. Not what a node answers (`crate::status`).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::http::Uri;
use switchboard_client::Trust;
use switchboard_protocol::Secret;

use super::{
    operator::{self, Target},
    ops_port::{self, Request},
};
use crate::{
    cli,
    status::{Status, Unreachable, lines},
};

/// The longest answer read, in bytes: 1,024 nodes of about 500 bytes, and the rest.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How long the answers may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The most operations ports that are asked, each by a thread.
const MAX_PORTS: usize = 64;

pub(super) fn run(status: &cli::Status) -> anyhow::Result<()> {
    let found = Questions::new(&status.nodes)?.ask();
    require_answer(&found)?;
    if status.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        println!("{}", lines(&found).join("\n"));
    }
    Ok(())
}

/// # Errors
/// When no node has answered, with the reasons.
pub(super) fn require_answer(status: &Status) -> anyhow::Result<()> {
    let problems = status.unreachable.iter();
    let problems: Vec<_> = problems
        .map(|port| format!("{}: {}", port.url, port.problem))
        .collect();
    anyhow::ensure!(!status.nodes.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// The operations ports to ask, and the token.
pub(super) struct Questions {
    targets: Vec<Target>,
    token: Secret,
}

impl Questions {
    pub(super) fn new(nodes: &cli::Nodes) -> anyhow::Result<Self> {
        let operator = &nodes.operator;
        let given = nodes.urls.iter().map(|url| Target::given(operator, url));
        let mut targets = given.collect::<anyhow::Result<Vec<_>>>()?;
        if targets.is_empty() {
            targets.push(Target::configured(operator)?);
        }
        Ok(Self {
            targets,
            token: operator::token(operator)?,
        })
    }

    /// Asks all at the same time. A port that does not answer is in the status, with the reason.
    pub(super) fn ask(&self) -> Status {
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut status = Status::default();
        let mut ports = Vec::new();
        for target in &self.targets {
            match self.ports(target) {
                Ok(found) => ports.extend(found),
                Err(error) => status.unreachable.push(unreachable(&target.root, &error)),
            }
        }
        for port in ports.drain(MAX_PORTS.min(ports.len())..) {
            let error = anyhow::anyhow!("not asked: {MAX_PORTS} operations ports are asked at most");
            status.unreachable.push(unreachable(&port.shown(), &error));
        }
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asked = ports.iter().map(|port| scope.spawn(|| port.ask(deadline)));
            let asked: Vec<_> = asked.collect();
            asked.into_iter().map(|answer| answer.join()).collect()
        });
        for (port, answer) in ports.iter().zip(answers) {
            let answer = answer.unwrap_or_else(|_| Err(anyhow::anyhow!("asking it failed")));
            match answer {
                Ok(answer) => status.add(answer),
                Err(error) => status.unreachable.push(unreachable(&port.shown(), &error)),
            }
        }
        status
    }

    /// The operations ports at all addresses of a target.
    fn ports<'a>(&'a self, target: &'a Target) -> anyhow::Result<Vec<OpsPort<'a>>> {
        let url = ops_port::url(&format!("{}/status", target.root))?;
        let addresses = ops_port::addresses(&url)?;
        let ports = addresses.into_iter().map(|address| OpsPort {
            url: url.clone(),
            address,
            trust: &target.trust,
            token: &self.token,
        });
        Ok(ports.collect())
    }
}

/// One operations port.
struct OpsPort<'a> {
    url: Uri,
    address: SocketAddr,
    trust: &'a Trust,
    token: &'a Secret,
}

impl OpsPort<'_> {
    fn ask(&self, deadline: Instant) -> anyhow::Result<Status> {
        let request = Request {
            token: Some(self.token),
            ..Request::get(&self.url, self.trust, MAX_ANSWER_BYTES)
        };
        let answer = ops_port::ask_at(&request, self.address, deadline)?;
        let body = operator::body(&self.url, answer)?;
        serde_json::from_str(&body).context("the answer is not that of this version")
    }

    fn shown(&self) -> String {
        let scheme = self.url.scheme_str().unwrap_or_default();
        format!("{scheme}://{}", self.address)
    }
}

fn unreachable(url: &str, error: &anyhow::Error) -> Unreachable {
    Unreachable {
        url: url.to_owned(),
        problem: format!("{error:#}"),
    }
}
