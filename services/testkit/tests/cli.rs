//! The command line, as people script against it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use switchboard_testkit::{Cluster, SECRET, binary, token};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(binary())
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn config_file(toml: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    file
}

#[test]
fn a_wrong_key_ends_with_64_and_names_the_key_before_any_port_opens() {
    let secret = format!("[auth]\nhs256_secret = \"{SECRET}\"\n");
    let cases = [
        ("[server]\nlistn = \"127.0.0.1:0\"\n".to_owned(), "listn"),
        (
            format!("{secret}[server]\nlisten = \"nowhere\"\n"),
            "server.listen",
        ),
        (
            format!("{secret}[limits]\nmessage_bytes = 1\n"),
            "limits.message_bytes",
        ),
        (
            format!("{secret}[broker]\nredis_urls = [\"rediss://x\"]\n"),
            "broker.redis_urls",
        ),
        (
            format!("{secret}[session]\nresume_window_s = 86400\n"),
            "session.resume_window_s",
        ),
        (
            format!("{secret}[rebalance]\nhigh_watermark = nan\n"),
            "rebalance.high_watermark",
        ),
        (
            format!("{secret}[rebalance]\nmax_connection_age_jitter = 1.5\n"),
            "rebalance.max_connection_age_jitter",
        ),
        ("[auth]\nhs256_secret = \"short\"\n".to_owned(), "auth"),
        (String::new(), "auth"),
    ];
    for (toml, key) in cases {
        let file = config_file(&toml);
        for command in [&["config", "check"][..], &["serve"]] {
            let arguments = [command, &["--config", file.path().to_str().unwrap()]].concat();
            let output = run(&arguments, &[]);
            assert_eq!(output.status.code(), Some(64), "{command:?} {toml}");
            assert!(
                text(&output.stderr).contains(key),
                "{key}: {}",
                text(&output.stderr)
            );
        }
    }
}

#[test]
fn the_printed_defaults_are_a_valid_file_once_there_is_a_key() {
    let defaults = text(&run(&["config", "default"], &[]).stdout);
    let file = config_file(&defaults);
    let arguments = ["config", "check", "--config", file.path().to_str().unwrap()];
    let output = run(
        &arguments,
        &[
            ("SWITCHBOARD__AUTH__HS256_SECRET", SECRET),
            ("SWITCHBOARD__NODE__ID", "n7"),
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("n7"),
        "the environment overrides the file"
    );
    let schema: serde_json::Value = serde_json::from_slice(&run(&["config", "schema"], &[]).stdout).unwrap();
    assert!(schema["properties"]["broker"].is_object());
}

#[test]
fn a_minted_token_can_be_inspected() {
    let secret = config_file(SECRET);
    let mint = [
        "token",
        "mint",
        "--peer",
        "alice",
        "--secret-file",
        secret.path().to_str().unwrap(),
    ];
    let token = text(&run(&mint, &[]).stdout);
    let output = run(&["token", "inspect", token.trim()], &[]);
    assert!(text(&output.stdout).contains("alice"), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("NOT VERIFIED"));
    assert!(!run(&["token", "inspect", "garbage"], &[]).status.success());
}

#[tokio::test]
async fn two_peers_on_the_command_line_reach_each_other_across_nodes() {
    let cluster = Cluster::start(2).await.unwrap();
    let peer = |name: &str, node: usize, arguments: &[&str]| {
        let mut command = tokio::process::Command::new(binary());
        command
            .args(arguments)
            .env("SWITCHBOARD_URL", cluster.nodes[node].url());
        command.env("SWITCHBOARD_TOKEN", token(name).unwrap().expose());
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let listening = peer("bob", 1, &["listen", "--count", "1"]);
    let attached = async || {
        cluster.nodes[1]
            .metric("switchboard_sessions")
            .await
            .filter(|count| *count == 1.0)
    };
    switchboard_testkit::wait_until("bob listens", switchboard_testkit::PATIENCE, attached)
        .await
        .unwrap();
    let sent = peer("alice", 0, &["send", "--to", "bob", "{\"hello\": 1.0}"])
        .wait_with_output()
        .await
        .unwrap();
    assert_eq!(
        text(&sent.stdout).trim(),
        "delivered to bob",
        "{}",
        text(&sent.stderr)
    );
    let heard = listening.wait_with_output().await.unwrap();
    assert!(
        text(&heard.stdout).contains("{\"hello\": 1.0}"),
        "{}",
        text(&heard.stdout)
    );
    let lost = peer("alice", 0, &["send", "--to", "nobody", "1"])
        .wait_with_output()
        .await
        .unwrap();
    assert_eq!(lost.status.code(), Some(1));
    assert!(
        text(&lost.stderr).contains("peer-offline"),
        "{}",
        text(&lost.stderr)
    );
}
