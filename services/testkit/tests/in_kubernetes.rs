//! What the Helm chart relies on: `switchboard selftest`, and a Redis URL out of a file. Not the chart itself:
//! that is tests/chart.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::Write as _,
    process::{Command, Output},
};

use switchboard_testkit::{Cluster, SECRET, binary, token};

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
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

#[test]
fn a_redis_url_stands_in_a_file_or_in_the_configuration_not_in_both() {
    let url = file("redis://:secret@redis.example:6380/2\n");
    let bad = file("rediss://redis.example");
    let auth = format!("[auth]\nhs256_secret = \"{SECRET}\"\n[broker]\n");
    let cases = [
        (format!("redis_url_file = \"{}\"", path(&url)), Some(0), "valid"),
        (
            format!("redis_url_file = \"{}\"", path(&bad)),
            Some(64),
            "broker.redis_url_file",
        ),
        (
            "redis_url_file = \"/nowhere\"".to_owned(),
            Some(64),
            "broker.redis_url_file",
        ),
        (
            format!(
                "redis_url_file = \"{}\"\nredis_urls = [\"redis://a\"]",
                path(&url)
            ),
            Some(64),
            "not both",
        ),
    ];
    for (broker, code, sentence) in cases {
        let config = file(&format!("{auth}{broker}\n"));
        let output = run(&["config", "check", "--config", path(&config)]);
        assert_eq!(output.status.code(), code, "{broker}: {}", said(&output));
        assert!(said(&output).contains(sentence), "{broker}: {}", said(&output));
        assert!(!said(&output).contains("secret@"), "a password is never shown");
    }
}
