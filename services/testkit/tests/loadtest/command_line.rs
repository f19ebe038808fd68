//! Refusals before anything is loaded, and their words.

use std::net::{IpAddr, TcpListener, UdpSocket};

use crate::program::Folder;

#[tokio::test]
async fn a_wrong_scenario_is_2_and_names_the_key() {
    let stages = "stages = [{ rate = 1, for = \"1s\" }]";
    let cases = [
        (
            format!("[calls]\n{stages}\nplacment = \"same-node\"\n"),
            "placment",
        ),
        (format!("[calls]\n{stages}\nplacement = \"near\"\n"), "near"),
        (format!("[calls]\n{stages}\ntalk = 5\n"), "talk"),
        (
            "[calls]\nstages = [{ rate = -1, for = \"1s\" }]\n".to_owned(),
            "calls.stages",
        ),
        (
            format!("[calls]\n{stages}\n[cluster]\nnodes = 0\n"),
            "cluster.nodes",
        ),
    ];
    for (text, key) in cases {
        for verb in ["check", "run"] {
            let folder = Folder::new();
            let file = folder.file("mine.toml", &format!("name = \"mine\"\n{text}"));
            let ended = folder.run(&[verb, &file]).await.expect(2);
            assert!(ended.stderr.contains(key), "{key}: {}", ended.stderr);
        }
    }
    let folder = Folder::new();
    let text = "name = \"mine\"\n[calls]\nstages = 5\nplacment = 1\n[cluster]\nnodes = 0\n";
    let file = folder.file("mine.toml", text);
    let ended = folder.run(&["check", &file, "--set", "sed=1"]).await.expect(2);
    let all = [
        "mine.toml:",
        "line 3: calls.stages: ",
        "line 4: calls.placment: ",
        "cluster.nodes: ",
        "--set sed=1: ",
    ];
    for word in all {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    let wrong = ["run", "calls", "--set", "calls.stages.0.rat=5"];
    let ended = Folder::new().run(&wrong).await.expect(2);
    assert!(ended.stderr.contains("calls.stages.0.rat=5"), "{}", ended.stderr);
    let wrong = ["check", "calls", "--set", "thresholds=[\"p99(call_stup) < 1s\"]"];
    let ended = Folder::new().run(&wrong).await.expect(2);
    assert!(ended.stderr.contains("call_stup"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_refused_before_the_run() {
    for option in ["--out", "--junit"] {
        let folder = Folder::new();
        let file = folder.file("file", "");
        let inside = format!("{file}/in/it");
        let ended = folder
            .run(&["run", "calls", "--plain", option, &inside])
            .await
            .expect(2);
        assert!(
            ended.stderr.contains(&file) && !ended.stderr.contains("starting"),
            "{}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn unknown_presets_list_the_known_ones() {
    for verb in ["run", "show", "check", "capacity"] {
        let ended = Folder::new().run(&[verb, "cals"]).await.expect(2);
        for word in ["`cals`", "calls", "node-kill", "capacity"] {
            assert!(ended.stderr.contains(word), "{verb}: {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn what_list_names_is_in_the_guide_and_can_be_shown_and_checked() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/loadtest.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let list = Folder::new().run(&["list"]).await.expect(0).stdout;
    let presets: Vec<_> = list.lines().take_while(|line| !line.is_empty()).collect();
    assert!(presets.len() >= 9, "{list}");
    for line in presets {
        let name = line.split_whitespace().next().unwrap();
        assert!(
            guide.contains(&format!("`{name}`")),
            "docs/loadtest.md lacks {name}"
        );
        let text = Folder::new().run(&["show", name]).await.expect(0).stdout;
        let folder = Folder::new();
        let file = folder.file("mine.toml", &text);
        let ended = folder.run(&["check", &file]).await.expect(0);
        assert!(ended.stdout.contains(name), "{}", ended.stdout);
    }
}

#[tokio::test]
async fn the_scenario_for_kubernetes_is_well() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/loadtest/scenario.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, scenario) = text.split_once("scenario.toml: |\n").unwrap();
    // Its indentation means nothing in TOML.
    let folder = Folder::new();
    let file = folder.file("scenario.toml", scenario);
    folder.run(&["check", &file]).await.expect(0);
}

/// An address of this machine that is not loopback; nothing is sent to find it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn a_target_elsewhere_is_refused_without_allow_remote() {
    let refused = async |target: &[&str], address: &str| {
        let arguments = [&["run", "idle", "--plain", "--secret-file", "none"], target].concat();
        let ended = Folder::new().run(&arguments).await.expect(2);
        for word in [address, "--allow-remote"] {
            assert!(ended.stderr.contains(word), "{}", ended.stderr);
        }
    };
    let here = "ws://127.0.0.1:9/v1/ws";
    refused(&["--url", "ws://203.0.113.1/v1/ws"], "203.0.113.1").await;
    let ops = ["--url", here, "--ops-url", "http://203.0.113.1:9090"];
    refused(&ops, "203.0.113.1").await;
    let Some(address) = own_address() else {
        println!("not looked whether a packet is sent: this machine has no address but loopback");
        return;
    };
    let listener = TcpListener::bind((address, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("ws://{}/v1/ws", listener.local_addr().unwrap());
    refused(&["--url", &url], &address.to_string()).await;
    assert!(listener.accept().is_err(), "it must not even connect");
}
