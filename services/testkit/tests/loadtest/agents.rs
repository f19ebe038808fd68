//! Load from other machines, here two agents on this one.

use std::process::Stdio;

use switchboard_testkit::{Cluster, NodeProcess, PATIENCE};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr},
    time::timeout,
};

use crate::{
    place,
    program::{Folder, command},
};

const SHARED: &str = "coordinators-and-agents-share-this";

/// A running agent; killed when dropped.
struct Agent {
    _child: Child,
    /// What it says goes on being read, or it would one day stop saying.
    _errors: Lines<BufReader<ChildStderr>>,
    address: String,
}

impl Agent {
    async fn start(folder: &Folder) -> Self {
        let (shared, tokens) = (folder.file("agents.secret", SHARED), folder.secret());
        let secrets = ["--secret-file", &shared, "--hs256-secret-file", &tokens];
        let arguments = [&["agent", "--listen", "127.0.0.1:0"][..], &secrets].concat();
        let mut child = command(folder, &arguments).stdout(Stdio::null()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = timeout(PATIENCE, errors.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let address = line.rsplit(' ').next().unwrap().to_owned();
        assert!(line.contains("waiting for coordinators"), "{line}");
        Self {
            _child: child,
            _errors: errors,
            address,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_make_the_load_too() {
    let _place = place().await;
    let cluster = Cluster::start(2).await.unwrap();
    let home = Folder::new();
    let agents = [Agent::start(&home).await, Agent::start(&home).await];
    let named = format!(
        "generator.agents=[\"{}\", \"{}\"]",
        agents[0].address, agents[1].address
    );
    let urls: Vec<_> = cluster.nodes.iter().map(NodeProcess::url).collect();
    let more = [
        &["--url", &urls[0], "--url", &urls[1], "--set", &named][..],
        &["--set", "calls.stages=[{rate=10,for=\"2s\"}]"],
        &["--set", "thresholds=[\"lost == 0\", \"calls_set_up >= 1\"]"],
    ]
    .concat();
    let knowing = |secret: &str| {
        let folder = Folder::new();
        let file = folder.file("shared.secret", secret);
        (folder, file)
    };

    let (folder, file) = knowing("a-secret-that-nobody-else-knows");
    let ended = folder
        .load("calls", &[&more[..], &["--agents-secret-file", &file]].concat())
        .await;
    let ended = ended.expect(2);
    // Both refuse it; one of them is named.
    let is_named = agents.iter().any(|agent| ended.stderr.contains(&agent.address));
    assert!(is_named && ended.stderr.contains("secret"), "{}", ended.stderr);

    let ended = Folder::new().load("calls", &more).await.expect(2);
    assert!(ended.stderr.contains("--agents-secret-file"), "{}", ended.stderr);

    let (folder, file) = knowing(SHARED);
    let ended = folder
        .load("calls", &[&more[..], &["--agents-secret-file", &file]].concat())
        .await;
    let ended = ended.expect(0);
    assert_eq!(ended.first_run()["generator"]["workers"], 2);
    let sent = ended.count("sent");
    assert!(sent > 0);
    assert_eq!((ended.count("arrived"), ended.count("delivered")), (sent, sent));
    let text = ended.results().to_string();
    for secret in [SHARED, switchboard_testkit::SECRET] {
        assert!(!text.contains(secret), "results hold no secrets");
    }
}
