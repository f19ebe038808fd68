//! TLS clients of this project behind an authority that the system does not know.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::process::Command;

use common::{ALONE, Node};
use switchboard_auth::{AuthConfig, IssuerConfig, Verifier};
use switchboard_harness::{PATIENCE, TlsServer, or_skip, wait_until};

const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

#[tokio::test]
async fn keys_are_fetched_behind_an_own_authority_where_its_file_is_configured() {
    let Some(server) = or_skip(TlsServer::start(&[("jwks.json", KEYS)])) else {
        return;
    };
    let verifier = |ca_file| {
        let issuer = IssuerConfig {
            jwks_url: Some(format!("https://{}/jwks.json", server.address())),
            ..IssuerConfig::default()
        };
        let config = AuthConfig {
            ca_file,
            ..issuer.into()
        };
        Verifier::new(config).unwrap()
    };
    assert!(verifier(Some(server.ca_file())).prefetch_keys().await);
    assert!(
        !verifier(None).prefetch_keys().await,
        "nobody knows the authority"
    );
}

#[tokio::test]
async fn a_node_counts_its_keys_and_says_which_one_it_cannot_use() {
    let keys = KEYS.replace(
        "{\"keys\":[",
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"shared\",\"k\":\"MDEy\"},",
    );
    let Some(server) = or_skip(TlsServer::start(&[("jwks.json", &keys)])) else {
        return;
    };
    let more = format!(
        "jwks_url = \"https://{}/jwks.json\"\n{ALONE}[tls]\nca_file = {:?}\n",
        server.address(),
        server.ca_file()
    );
    let node = Node::start(&more).await;
    let counted = async || {
        node.process
            .metric("switchboard_jwks_keys")
            .await
            .filter(|keys| *keys == 1.0)
    };
    wait_until("the keys are there", PATIENCE, counted).await.unwrap();
    let log = node.process.log();
    assert!(
        log.contains("is a shared secret") && log.contains("shared"),
        "{log}"
    );
}

#[test]
fn a_peer_on_the_command_line_trusts_the_authority_that_it_is_given() {
    let Some(server) = or_skip(TlsServer::start(&[])) else {
        return;
    };
    let send = |more: &[&str]| {
        let url = format!("wss://{}/v1/ws", server.address());
        let output = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["send", "--url", &url, "--token", "a.b.c", "--to", "bob", "1"])
            .args(more)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let refused = send(&[]);
    assert!(refused.contains("certificate"), "{refused}");
    let answered = send(&["--ca-file", server.ca_file().to_str().unwrap()]);
    assert!(
        answered.contains("HTTP") && !answered.contains("certificate"),
        "{answered}"
    );
    let missing = send(&["--ca-file", "/nowhere.pem"]);
    assert!(missing.contains("--ca-file: /nowhere.pem"), "{missing}");
}
