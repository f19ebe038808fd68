//! The command line, as people script against it, where no other process is needed.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::Write as _,
    process::{Command, Output},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All that a command printed.
fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

fn config_file(toml: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
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

#[test]
fn a_redis_url_stands_in_a_file_or_in_the_configuration_not_in_both() {
    let url = config_file("redis://:secret@redis.example:6380/2\n");
    let bad = config_file("rediss://redis.example");
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
        let config = config_file(&format!("{auth}{broker}\n"));
        let output = run(&["config", "check", "--config", path(&config)], &[]);
        assert_eq!(output.status.code(), code, "{broker}: {}", said(&output));
        assert!(said(&output).contains(sentence), "{broker}: {}", said(&output));
        assert!(!said(&output).contains("secret@"), "a password is never shown");
    }
}
