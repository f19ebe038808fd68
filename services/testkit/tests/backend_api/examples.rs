//! The examples of docs/backend-api.md, as a shell runs them.

use std::process::Command;

use switchboard_testkit::Cluster;

use crate::{backend_token, rooms::join};

const PAGE: &str = include_str!("../../../../docs/backend-api.md");

/// A call that is refused ends the script.
const BEGINNING: &str = "set -eu\ncurl() { command curl --fail-with-body \"$@\"; echo; }\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page_are_accepted_in_their_order() {
    let examples: Vec<_> = PAGE.split("```sh\n").skip(1).collect();
    let examples = examples.iter().filter_map(|rest| rest.split("```").next());
    // The first one sets the variables.
    let calls: Vec<_> = examples.filter(|example| example.contains("curl")).collect();
    assert!(calls.len() >= 8, "{calls:?}");
    let cluster = Cluster::start(1).await.unwrap();
    let mut bob = cluster.connect(0, "bob").await.unwrap();
    join(&mut bob, "lobby").await;
    let script = format!("{BEGINNING}{}", calls.concat());
    let ran = Command::new("bash")
        .args(["-c", &script])
        .env("TOKEN", backend_token().expose())
        .env(
            "API",
            format!("http://127.0.0.1:{}", cluster.nodes[0].public_port()),
        )
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(ran.status.success(), "{said:?}");
    assert!(said[0].contains(r#""status":"published""#), "{said:?}");
}
