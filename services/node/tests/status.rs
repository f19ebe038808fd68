//! `GET /status` and the commands that ask for it, with nodes that have no Redis. With one: services/testkit/tests/top.rs.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::process::{Command, Output};

use common::{ALONE, Node};
use switchboard_harness::{OPS_TOKEN, PATIENCE, Port, http, wait_until};

fn switchboard(arguments: &[&str], token: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(arguments)
        .env("SWITCHBOARD_OPS_TOKEN", token)
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn the_status_of_a_node_needs_the_token() {
    let node = Node::start(ALONE).await;
    let port = node.ops_port();
    let stranger = node.process.get("/status").await.unwrap();
    assert_eq!(stranger.status, 401);
    let answer = http::request("GET", port, "/status", Some(OPS_TOKEN))
        .await
        .unwrap();
    let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let own = &status["nodes"][0];
    assert_eq!((answer.status, &own["node"]), (200, &"n1".into()));
    assert_eq!(
        (&own["asked"], &own["state"], &own["bus"]),
        (&true.into(), &"serving".into(), &"up".into())
    );
    assert!(status["redis"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_a_sentence_that_says_where_the_right_one_is() {
    let node = Node::start(ALONE).await;
    let url = node.process.ops_url();
    for command in ["status", "top"] {
        let said = refused(&switchboard(&[command, "--node", &url], "wrong-and-long-enough"));
        assert!(
            said.contains("refused this token") && said.contains("ops.token_file"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_shown_next_to_one_that_does() {
    let node = Node::start(ALONE).await;
    let reserved = Port::reserve().unwrap();
    let nobody = format!("http://127.0.0.1:{}", reserved.number());
    let url = node.process.ops_url();
    let both = ["status", "--node", &url, "--node", &nobody];
    let text = printed(&switchboard(&both, OPS_TOKEN));
    assert!(text.contains("1 node, 0 connections"), "{text}");
    assert!(
        text.contains(&format!("! {nobody} is unreachable: cannot connect")),
        "{text}"
    );
    let text = printed(&switchboard(&[&both[..], &["--json"]].concat(), OPS_TOKEN));
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["unreachable"][0]["url"], nobody);
    assert_eq!(status["nodes"][0]["node"], "n1");
    let said = refused(&switchboard(&["status", "--node", &nobody], OPS_TOKEN));
    assert!(
        said.contains(&nobody) && said.contains("cannot connect"),
        "{said}"
    );
}

#[tokio::test]
async fn a_node_that_drains_says_so_and_why_it_is_not_ready() {
    let node = Node::start(ALONE).await;
    let url = node.process.ops_url();
    node.process.drain().await.unwrap();
    let says = async || {
        let text = printed(&switchboard(&["status", "--node", &url], OPS_TOKEN));
        (text.contains("1 node drains") && text.contains("! n1: draining:")).then_some(())
    };
    wait_until("the drain is shown", PATIENCE, says).await.unwrap();
}

#[tokio::test]
async fn without_a_terminal_top_prints_one_picture_and_ends() {
    let node = Node::start(ALONE).await;
    let url = node.process.ops_url();
    let text = printed(&switchboard(&["top", "--node", &url], OPS_TOKEN));
    assert!(text.contains("CONNECTIONS") && !text.contains('\x1b'), "{text}");
}

#[test]
fn the_help_shows_how_to_ask_from_a_pod_and_from_elsewhere() {
    for command in ["status", "top"] {
        let help = printed(&switchboard(&[command, "--help"], ""));
        for part in ["kubectl exec", "--token-file", "--node <URL>", "Changes nothing"] {
            assert!(help.contains(part), "{help}");
        }
    }
    let said = switchboard(&["top", "--every", "1ms"], "");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("the shortest period is 100ms"), "{said}");
}
