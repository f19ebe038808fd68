//! What operators see of TLS: reloads, the end of the certificate, the operations port, and clients that are wrong here.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
};

use switchboard_harness::{OPS_TOKEN, PATIENCE, wait_until};

use crate::{
    common::{ALONE, Node},
    secure::{Secure, certificates, files},
};

const FAILED: &str = "switchboard_reload_failed{part=\"server-tls\"}";

#[tokio::test]
async fn a_certificate_is_replaced_without_a_restart_and_a_broken_one_is_not_used() {
    let secure = Secure::start("").await;
    let mut alice = secure.connect("alice").await;
    let folder = secure.authority.folder();
    std::fs::write(folder.join("node.pem"), "nonsense").unwrap();
    secure.node.process.hang_up().unwrap();
    secure.metric_is(FAILED, 1.0).await;
    drop(secure.connect("bob").await);
    let ready = secure.node.process.get("/readyz").await.unwrap();
    assert!(
        ready.status == 200 && ready.body.contains("server-tls") && ready.body.contains("node.pem"),
        "{}",
        ready.body
    );
    let _ = secure.authority.issue_until("node", &["localhost"], 60).unwrap();
    secure.node.process.hang_up().unwrap();
    secure.metric_is(FAILED, 0.0).await;
    let end = "switchboard_certificate_not_after_timestamp_seconds{port=\"public\"}";
    let not_after = secure.node.process.metric(end).await.unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let days = (not_after - now.as_secs_f64()) / 86_400.0;
    assert!((59.0..60.1).contains(&days), "{days} days");
    drop(secure.connect("bob").await);
    // The connection of before never noticed.
    let nothing = serde_json::value::RawValue::from_string("1".into()).unwrap();
    let kind = switchboard_protocol::MessageKind::Message;
    let report = alice
        .send_and_confirm(kind, "alice", &nothing, PATIENCE)
        .await
        .unwrap();
    assert_eq!(report.outcome, switchboard_protocol::SendOutcome::Delivered);
}

#[tokio::test]
async fn a_node_does_not_start_with_a_certificate_that_cannot_be_used() {
    let (authority, folder) = (certificates(), tempfile::tempdir().unwrap());
    let other = authority.issue("other", &["localhost"]).unwrap();
    std::fs::copy(other.key, authority.folder().join("node.key")).unwrap();
    let file = folder.path().join("node.toml");
    let secret = crate::common::SECRET;
    let config = format!(
        "[auth]\nhs256_secret = \"{secret}\"\n{ALONE}[server.tls]\n{}",
        files(&authority)
    );
    std::fs::write(&file, config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["serve", "--config", file.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(
        said.contains("server.tls.key_file") && said.contains("is not the key of"),
        "{said}"
    );
}

#[tokio::test]
async fn the_operations_port_has_its_own_tls_and_the_healthcheck_uses_it() {
    let authority = certificates();
    let config = format!("{ALONE}[ops.tls]\n{}", files(&authority));
    let secure = Secure::spawn_with(authority, &config);
    let node = &secure.node;
    let healthcheck = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let file = node.folder.path().join("n1.toml");
        command
            .args(["healthcheck", "--ready", "--config", file.to_str().unwrap()])
            .env(
                "SWITCHBOARD__SERVER__OPS_LISTEN",
                format!("127.0.0.1:{}", node.ops_port()),
            );
        command.output().unwrap()
    };
    let is_ready = async || healthcheck().status.success().then_some(());
    wait_until("the healthcheck", PATIENCE, is_ready).await.unwrap();
    let ops = ([127, 0, 0, 1], secure.node.ops_port()).into();
    let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = crate::secure::https(ops, &secure.trust(), request).unwrap();
    assert!(answer.contains("switchboard_certificate_not_after_timestamp_seconds{port=\"operations\"}"));
    assert!(answer.contains("switchboard_certificate_not_after_timestamp_seconds{port=\"public\"} 0"));
    // Plain HTTP there gets a sentence; the public port has no TLS.
    let plain = secure.node.process.get("/livez").await.unwrap();
    assert!(
        plain.status == 400 && plain.body.contains("https://"),
        "{}",
        plain.body
    );
}

#[tokio::test]
async fn an_operator_with_the_files_of_the_node_trusts_its_certificate_and_no_other() {
    let authority = certificates();
    let config = format!("{ALONE}[ops.tls]\n{}", files(&authority));
    let secure = Secure::spawn_with(authority, &config);
    let node = &secure.node;
    let status = |file: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let listen = format!("127.0.0.1:{}", node.ops_port());
        command
            .args(["status", "--config", file.to_str().unwrap()])
            .env("SWITCHBOARD_OPS_TOKEN", OPS_TOKEN)
            .env("SWITCHBOARD__SERVER__OPS_LISTEN", listen);
        command.output().unwrap()
    };
    let own = node.folder.path().join("n1.toml");
    let answers = async || status(&own).status.success().then_some(());
    wait_until("the node answers", PATIENCE, answers).await.unwrap();
    // The same with the certificate of another node, which has the same name.
    let other = certificates();
    let text = std::fs::read_to_string(&own).unwrap();
    let text = text.replace(&files(&secure.authority), &files(&other));
    let file = node.folder.path().join("other.toml");
    std::fs::write(&file, text).unwrap();
    let output = status(&file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn a_client_that_speaks_tls_to_a_plain_port_is_counted_and_logged_once() {
    let node = Node::start(ALONE).await;
    let mut hello = vec![22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    hello.resize(205, 7);
    for _ in 0..3 {
        let mut tcp = TcpStream::connect(("127.0.0.1", node.process.public_port())).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(&hello).unwrap();
        let _ = tcp.read_to_end(&mut Vec::new());
    }
    let series = "switchboard_http_refusals_total{reason=\"tls-on-plain-port\"}";
    let counted = async || node.process.metric(series).await.filter(|count| *count == 3.0);
    wait_until(series, PATIENCE, counted).await.unwrap();
    let log = node.process.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("speak TLS on a port that does not"));
    assert_eq!(lines.count(), 1, "{log}");
}
