//! Good runs, missed thresholds, generators that cannot follow, and the highest rate.

use crate::{
    place,
    program::{CALM, Folder},
    results::short_calls,
};

#[tokio::test]
async fn a_short_run_of_calls_ends_with_0_and_writes_the_report() {
    let ended = short_calls().await;
    let folder = ended.results_file().parent().unwrap().to_owned();
    for name in ["report.html", "series.csv", "call_setup.hlog", "one_way.hlog"] {
        let length = std::fs::metadata(folder.join(name)).unwrap().len();
        assert!(length > 100, "{name} has {length} bytes");
    }
    assert!(ended.stdout.contains("report/report.html"), "{}", ended.stdout);

    let (run, calls) = (ended.first_run(), ended.count("calls_set_up"));
    assert!(calls > 0, "{run}");
    assert_eq!(ended.count("calls_started"), calls);
    assert_eq!(ended.count("planned"), calls);
    assert_eq!(ended.count("connects"), 2 * calls);
    let sent = ended.count("sent");
    assert!(sent > 4 * calls, "{run}");
    assert_eq!((ended.count("arrived"), ended.count("delivered")), (sent, sent));
    assert_eq!(run["times"]["call_setup"]["corrected"]["count"], calls);
    for missing in ["lost", "send_errors", "placement_missed", "no_outcome", "dropped"] {
        assert_eq!(ended.count(missing), 0, "{missing}");
    }
    // Cross-node was wished for, and verified from what the servers say: as many on the one as on the other.
    let seconds = run["series"].as_array().unwrap();
    let on = |node: &str| -> u64 {
        let connected = seconds
            .iter()
            .filter_map(|second| second["connected"][node].as_u64());
        connected.max().unwrap_or(0)
    };
    assert!(on("n1") > 0 && on("n2") > 0, "{seconds:?}");
    for server in ["n1", "n2", "redis"] {
        let servers = run["servers"].as_array().unwrap();
        let used = servers.iter().find(|used| used["name"] == server).unwrap();
        assert!(used["cpu_s"].as_f64().unwrap() > 0.0, "{used}");
    }
}

#[tokio::test]
async fn a_missed_threshold_is_99() {
    let _place = place().await;
    let threshold = "p99(call_setup) < 1us";
    let set = format!("thresholds=[\"{threshold}\", \"lost == 0\"]");
    let short = ["--set", "calls.stages=[{rate=5,for=\"1s\"}]", "--set", &set];
    let ended = Folder::new().load("calls", &short).await.expect(99);
    assert!(
        ended.stdout.contains(&format!("MISSED {threshold}")),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("kept   lost == 0"), "{}", ended.stdout);
    let run = ended.first_run();
    assert_eq!(run["verdict"]["exit_code"], 99);
    assert_eq!(run["thresholds"][0]["is_met"], false);
    assert_eq!(run["thresholds"][1]["is_met"], true);
}

#[tokio::test]
async fn a_saturated_generator_is_97() {
    let _place = place().await;
    let more = [
        "--set",
        "calls.stages=[{rate=50,for=\"2s\"}]",
        "--set",
        "calls.max_at_once=1",
        "--set",
        "thresholds=[]",
    ];
    let ended = Folder::new().load("calls", &more).await.expect(97);
    assert!(ended.count("dropped") > 50, "{}", ended.stdout);
    for word in ["dropped", "lower the rate", "calls.max_at_once"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }

    let late = [
        "--set",
        "calls.stages=[{rate=20,for=\"1s\"}]",
        "--set",
        "thresholds=[]",
    ];
    let late = [&late[..], &["--set", "generator.max_start_delay=1us"]].concat();
    let ended = Folder::new().load("calls", &late).await.expect(97);
    for word in ["saturated", "late", "generator.max_start_delay", "lower the rate"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
}

#[tokio::test]
async fn the_highest_rate_is_found_and_said() {
    let _place = place().await;
    let arguments = [
        &["capacity", "capacity", "--plain", "--out", "report"][..],
        &["--from", "2", "--to", "4", "--precision", "0.5"],
        &["--set", "calls.stages=[{rate=2,for=\"2s\"}]"],
        &["--set", "thresholds=[\"lost == 0\"]"],
        CALM,
    ]
    .concat();
    let ended = Folder::new().run(&arguments).await.expect(0);
    let last = ended.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("capacity: at least 4.0 a second"),
        "{}",
        ended.stdout
    );
    let stages = &ended.results()["scenario"]["calls"]["stages"];
    assert_eq!(stages[0]["rate"], 4.0, "the report is of the best run");
}
