//! Agents over real TCP, with shell scripts as their workers.

use std::net::SocketAddr;

use anyhow::ensure;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::fleet::{
    coordinator::{Fleet, WorkerSource},
    testing::{OBEDIENT, assignment, script},
};

const SECRET: &str = "a secret of sixteen";

type Task = AbortOnDropHandle<()>;

async fn agent(text: &str, leave_after: Option<Duration>) -> (SocketAddr, Task) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let agent = Agent {
        secret: Secret::new(SECRET),
        key: Key::Hs256(Secret::new("only-the-agent-has-this")),
        program: script(text),
        check: Box::new(|scenario| {
            ensure!(scenario.name != "forbidden", "that target is not for this agent");
            Ok(())
        }),
        leave_after,
    };
    (
        address,
        AbortOnDropHandle::new(tokio::spawn(serve(listener, agent))),
    )
}

async fn fleet(agents: &[SocketAddr], workers: usize, secret: &str, name: &str) -> anyhow::Result<Fleet> {
    let agents = agents.iter().map(ToString::to_string).collect();
    let source = WorkerSource::Remote {
        agents,
        workers,
        secret: Secret::new(secret),
    };
    let mut assignment = assignment();
    name.clone_into(&mut assignment.scenario.name);
    assignment.key = Key::Hs256(Secret::new("the coordinator's key"));
    Fleet::start(source, |_| assignment.clone()).await
}

#[tokio::test]
async fn agents_serve_a_run_with_their_own_key_and_then_the_next() {
    let checks_key = r#"
        read prepare
        case "$prepare" in *only-the-agent-has-this*) ;; *) echo "no key" >&2; exit 4;; esac
        case "$prepare" in *coordinator*) echo "a key crossed the network" >&2; exit 5;; esac
        echo '"ready"'; read start; echo '{"ended":{"violations":[]}}'; read finish; echo '"done"'
    "#;
    let (first, _first) = agent(checks_key, None).await;
    let (second, _second) = agent(checks_key, None).await;
    for _ in 0..2 {
        let mut fleet = fleet(&[first, second], 3, SECRET, "tiny").await.unwrap();
        fleet.prepare().await.unwrap();
        fleet.begin().await.unwrap();
        fleet.ended().await.unwrap();
        fleet.finish().await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_secret_and_a_second_run_are_refused() {
    let (address, _agent) = agent(OBEDIENT, None).await;
    let error = fleet(&[address], 1, "not that secret at all", "tiny")
        .await
        .unwrap_err();
    let error = format!("{error:#}");
    let has = |part: &str| error.contains(part);
    assert!(
        has(&address.to_string()) && has("secret is not the agent's"),
        "{error}"
    );
    let _first = fleet(&[address], 1, SECRET, "tiny").await.unwrap();
    let error = fleet(&[address], 1, SECRET, "tiny").await.unwrap_err();
    assert!(format!("{error:#}").contains("busy with another"), "{error:#}");
}

#[tokio::test]
async fn a_refused_target_and_a_dead_worker_are_reported_with_the_reason() {
    for (script, name, reason) in [
        (OBEDIENT, "forbidden", "failed: that target is not for this agent"),
        (
            "read prepare; echo broken >&2; exit 7",
            "tiny",
            "exit status: 7; its standard error: broken",
        ),
    ] {
        let (address, _agent) = agent(script, None).await;
        let mut fleet = fleet(&[address], 1, SECRET, name).await.unwrap();
        let error = fleet.prepare().await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("worker 0 at {address} ")) && error.ends_with(reason),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_agent_leaves_when_no_coordinator_comes() {
    let (_, agent) = agent(OBEDIENT, Some(Duration::from_millis(100))).await;
    timeout(Duration::from_secs(10), agent).await.unwrap().unwrap();
}
