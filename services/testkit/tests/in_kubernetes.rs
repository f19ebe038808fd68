//! The Helm chart relies on `switchboard selftest`. Not the chart itself: that is tests/chart.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::Write as _,
    process::{Command, Output},
};

use switchboard_testkit::{Cluster, SECRET, binary, token};

fn run(arguments: &[&str]) -> Output {
    Command::new(binary(None).unwrap())
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let bytes = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

fn addresses(cluster: &Cluster) -> Vec<String> {
    let ports = cluster.nodes.iter().map(|node| node.public_port());
    ports.map(|port| format!("127.0.0.1:{port}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selftest_calls_from_one_node_to_another_with_tokens_minted_or_given() {
    let cluster = Cluster::start(2).await.unwrap();
    let nodes = addresses(&cluster).join(",");
    let secret = file(SECRET);
    let minted = run(&[
        "selftest",
        "--apart",
        "--nodes",
        &nodes,
        "--secret-file",
        path(&secret),
    ]);
    assert!(minted.status.success(), "{}", said(&minted));
    assert!(
        said(&minted).contains("offer n1 -> n2") || said(&minted).contains("offer n2 -> n1"),
        "{}",
        said(&minted)
    );
    let [caller, callee] = ["ann", "ben"].map(|peer| file(token(peer).unwrap().expose()));
    let tokens = [
        "--caller-token-file",
        path(&caller),
        "--callee-token-file",
        path(&callee),
    ];
    let given = run(&[&["selftest", "--apart", "--nodes", &nodes][..], &tokens].concat());
    assert!(given.status.success(), "{}", said(&given));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selftest_that_is_to_be_apart_fails_on_one_node_and_says_so() {
    let cluster = Cluster::start(1).await.unwrap();
    let nodes = addresses(&cluster).join(",");
    let secret = file(SECRET);
    let arguments = [
        "selftest",
        "--nodes",
        &nodes,
        "--within-s",
        "1",
        "--secret-file",
        path(&secret),
    ];
    assert!(run(&arguments).status.success());
    let apart = run(&[&arguments[..], &["--apart"]].concat());
    assert_eq!(apart.status.code(), Some(1));
    assert!(said(&apart).contains("both peers are on n1"), "{}", said(&apart));
}
