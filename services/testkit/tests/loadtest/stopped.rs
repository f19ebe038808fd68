//! A run that the user ends early, and what others read of it while it runs.

use switchboard_testkit::PATIENCE;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpStream,
    process::{ChildStderr, Command},
    time::timeout,
};

use crate::{
    place,
    program::{CALM, Folder, command},
};

/// The next line with this in it.
async fn line_with(lines: &mut Lines<BufReader<ChildStderr>>, part: &str) -> String {
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(part) {
                return Some(line);
            }
        }
        None
    };
    let line = timeout(PATIENCE, found).await.unwrap();
    assert!(line.is_some(), "the program ended without a line with {part}");
    line.unwrap()
}

#[tokio::test]
async fn ctrl_c_ends_a_run_early_with_the_report_of_the_measured_part() {
    let _place = place().await;
    let folder = Folder::new();
    let arguments = [
        &[
            "run",
            "calls",
            "--plain",
            "--out",
            "report",
            "--junit",
            "junit.xml",
        ][..],
        &["--metrics-listen", "127.0.0.1:0"],
        &["--set", "calls.stages=[{rate=10,for=\"10m\"}]"],
        &["--set", "calls.talk=1s"],
        &["--set", "thresholds=[\"lost == 0\", \"reconnected < 5s\"]"],
        CALM,
    ]
    .concat();
    let mut child = command(&folder, &arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let metrics = line_with(&mut lines, "metrics: ").await;
    // The threshold without a value is not evaluated yet.
    let line = line_with(&mut lines, "thresholds 1 of 1 met").await;
    assert!(line.contains("of 600s"), "{line}");
    line_with(&mut lines, "calls_set_up").await;
    let url = metrics.strip_prefix("metrics: ").unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
    drop(TcpStream::connect(address).await.unwrap());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    for part in [
        "loadtest_events_total{event=\"sent\"}",
        "loadtest_threshold_met{threshold=\"lost == 0\"} 1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let interrupt = format!("kill -INT {}", child.id().unwrap());
    assert!(
        Command::new("sh")
            .args(["-c", &interrupt])
            .status()
            .await
            .unwrap()
            .success()
    );
    line_with(&mut lines, "stopping; the report follows").await;
    let ended = folder.end_of(child).await.expect(97);
    assert!(
        ended.stdout.contains("stopped by the user after"),
        "{}",
        ended.stdout
    );
    let run = ended.first_run();
    let load_s = run["load_s"].as_f64().unwrap();
    assert!(
        (1.0..600.0).contains(&load_s) && ended.count("calls_set_up") > 0,
        "{run}"
    );
    let last = run["series"].as_array().unwrap().last().unwrap();
    assert!(
        last["counts"]["sent"].as_u64() > Some(0),
        "the last second is a whole one: {last}"
    );
    let junit = std::fs::read_to_string(ended.path().join("junit.xml")).unwrap();
    for part in [
        "the run is valid\"><failure message=\"stopped by the user",
        "name=\"lost == 0\"/>",
    ] {
        assert!(junit.contains(part), "{part}: {junit}");
    }
}
