//! Scenarios with something wrong in them.

use super::*;
use crate::scenario::overrides::load;

const SOUND: &str = r#"
name = "sound"
thresholds = ["lost == 0"]
calls.stages = [{ rate = 0, to = 5, for = "10s" }]
calls.placement = "cross-node"
streams.pairs = 2
streams.stages = [{ rate = 5, for = "10s" }]
idle.connections = 5
faults = [{ at = "5s", do = "kill", server = "n2", for = "1s" }, { at = "9s", do = "roll" }]
"#;

/// The problems of the sound scenario after this is set.
fn problems(sets: &[&str]) -> Vec<String> {
    let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
    check(&load(SOUND, &sets).unwrap()).err().unwrap_or_default()
}

#[test]
fn a_sound_scenario_has_no_problems() {
    assert_eq!(problems(&[]), Vec::<String>::new());
}

#[test]
fn every_problem_names_its_key_and_the_fix() {
    let table = r#"
        name=a/b | name: | letters
        repeats=0 | repeats: | 1 to 100
        settle=48h | settle: | 1day
        cluster.nodes=1 | calls.placement: | cluster.nodes
        cluster.nodes=0 | cluster.nodes: | 1 to
        cluster.config="[limits" | cluster.config: | TOML
        target.urls=["here"] | target.urls.0: | ws://
        target.ops_urls=["http://127.0.0.1:1"] | target.ops_urls: | as many
        target.key_id=k | target.key_id: | key_file
        generator.workers=2000 | generator.workers: | 1000
        generator.agents=["here"] | generator.agents.0: | host:port
        generator.max_dropped=1.1 | generator.max_dropped: | 0 to 1
        generator.max_start_delay=0s | generator.max_start_delay: | 10s
        calls.stages=[] | calls.stages: | rate = 20
        calls.stages.0.to=nan | calls.stages.0.rate: | above 0
        calls.stages.0.to=-1 | calls.stages.0.rate: | above 0
        calls.stages.0.to=0 | calls.stages.0.rate: | above 0
        calls.stages.0.to=inf | calls.stages.0.rate: | at most
        calls.stages.0.for=0s | calls.stages.0.for: | 10s
        calls.stages.0.for=25h | calls.stages: | at most
        calls.offer_bytes=[9, 8] | calls.offer_bytes: | smallest
        calls.offer_bytes=[0, 8] | calls.offer_bytes: | smallest
        calls.offer_bytes=[8, 2000000] | calls.offer_bytes: | 1048576
        calls.candidates=0 | calls.candidates: | 1 to
        calls.deadline=0s | calls.deadline: | 10s
        calls.max_at_once=0 | calls.max_at_once: | 1 to
        streams={model="closed",outcomes=false} | streams.model: | outcomes
        streams.pairs=0 | streams.pairs: | 1 to
        streams.payload_bytes=2000000 | streams.payload_bytes: | 1048576
        streams.slow={share=2.0,pause="1s",reads="1s"} | streams.slow.share: | 0 to 1
        idle.connections=1000001 | idle.connections: | 1000000
        idle.connections=999999 | scenario: | streams.pairs
        idle.ramp_per_second=0 | idle.ramp_per_second: | 500
        idle.storm_at=10s | idle.storm_at: | idle.hold
        rooms.stages=[] | rooms.stages: | rate = 20
        rooms={peers=0,stages=[{rate=1,for="1s"}]} | rooms.peers: | 1 to
        rooms={rooms=0,stages=[{rate=1,for="1s"}]} | rooms.rooms: | 1 to
        rooms={stages=[{rate=1,for="1s"}],messages=[{rate=1,for="1s"}]} | rooms.speakers: | 1 to 300
        rooms={complete_within="0s",stages=[{rate=1,for="1s"}]} | rooms.complete_within: | 10s
        abuse.stages=[] | abuse.stages: | rate = 20
        faults.0.at=10s | faults.0.at: | earlier
        faults.0.server=n3 | faults.0.server: | n1 to n2 or redis
        faults.1.server=redis | faults.1.server: | n1 to n2
        faults.1.for=1s | faults.1.for: | freeze
        faults.1.command=["true"] | faults.1.command: | run
        faults=[{at="1s",do="kill"}] | faults.0.server: | n1
        faults=[{at="1s",do="run"}] | faults.0.command: | true
        faults=[{at="1s",do="drain",server="redis"}] | faults.0.server: | n1 to n2
        faults=[{at="1s",do="redis-failover"}] | faults.0.do: | cluster:3+3
        faults=[{at="1s",do="redis-reshard"}] | faults.0.do: | cluster:3+3
        faults=[{at="1s",do="redis-pause"}] | faults.0.do: | for = "1s"
        faults=[{at="1s",do="redis-pause",for="1s",server="redis"}] | faults.0.server: | leave it out
        faults=[{at="1s",do="roll",slots=3}] | faults.0.slots: | redis-reshard
        thresholds=["lots == 0"] | thresholds.0: | lost"#;
    for line in table.trim().lines() {
        let cells: Vec<&str> = line.trim().split(" | ").collect();
        let [set, key, fix] = cells[..] else {
            panic!("{line}")
        };
        let problems = problems(&[set]);
        let is_it = |problem: &String| problem.starts_with(key) && problem.contains(fix);
        assert!(problems.iter().any(is_it), "{line}: {problems:?}");
    }
}

#[test]
fn servers_of_redis_are_named_as_their_layout_has_them() {
    let kill = |layout: &str, server: &str| {
        let (layout, fault) = (
            format!("cluster.redis={layout}"),
            format!("faults=[{{at=\"1s\",do=\"kill\",server=\"{server}\"}}]"),
        );
        problems(&[&layout, &fault])
    };
    for (layout, server) in [
        ("standalone", "redis"),
        ("sentinel", "sentinel-3"),
        ("cluster:3+3", "redis-6"),
        ("sharded:3", "redis-3"),
    ] {
        assert_eq!(kill(layout, server), Vec::<String>::new());
    }
    for (layout, server, fix) in [
        ("standalone", "redis-1", "or redis"),
        ("sentinel", "redis", "redis-1 to redis-2 or sentinel-1"),
        ("sharded:3", "redis-4", "redis-1 to redis-3"),
    ] {
        let found = kill(layout, server);
        assert!(found.len() == 1 && found[0].contains(fix), "{found:?}");
    }
    let other = problems(&["cluster.redis=sharded:3", "target.driver=redis"]);
    assert!(
        other
            .iter()
            .any(|problem| problem.starts_with("cluster.redis: only nodes")),
        "{other:?}"
    );
    let failover = "faults=[{at=\"1s\",do=\"redis-failover\"},{at=\"2s\",do=\"redis-reshard\",slots=7}]";
    assert_eq!(
        problems(&["cluster.redis=cluster:3+3", failover]),
        Vec::<String>::new()
    );
    let error = load(SOUND, &["cluster.redis=cluster:1".to_owned()]).unwrap_err();
    assert!(format!("{error:#}").contains("cluster:3+3"), "{error:#}");
}

#[test]
fn mistakes_and_problems_are_reported_at_once() {
    let sets = [
        "target.secret_file=a",
        "target.key_file=b",
        "calls.stages=[]",
        "sed=1",
    ]
    .map(str::to_owned);
    let found = load_and_check(SOUND, &sets, |scenario| scenario.repeats = 0).unwrap_err();
    assert_eq!(found.len(), 4, "{found:?}");
    let text = "name = \"x\"\nthresholds = [5, \"lots == 0\"]\n[calls]\noffer_bytes = [0, 1]\n[generator]\nagents = [\"x\"]\n";
    let found = load_and_check(text, &[], |_| {}).unwrap_err().join("\n");
    for part in [
        "line 2: thresholds: ",
        "calls.offer_bytes: ",
        "calls.stages: ",
        "generator.agents.0: ",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
    // The second threshold is now the first, and would be named so.
    assert!(!found.contains("thresholds.0"), "{found}");
    let text = "name = \"x\"\n[calls]\noffer_bytes = [1, 2, 3]\n";
    let found = load_and_check(text, &["calls.talk=1s".to_owned()], |_| {}).unwrap_err();
    assert!(
        found.len() == 1 && found[0].contains("calls.offer_bytes"),
        "{found:?}"
    );
}

#[test]
fn servers_that_are_not_ours_cannot_be_killed_but_drained() {
    let urls = "target.urls=[\"ws://127.0.0.1:1/v1/ws\", \"ws://127.0.0.1:2/v1/ws\"]";
    let secret = "target.secret_file=s";
    assert!(
        problems(&[urls])
            .iter()
            .any(|problem| problem.contains("--secret-file"))
    );
    let found = problems(&[urls, secret]);
    assert_eq!(found.len(), 2, "{found:?}");
    let is_it = |problem: &String| problem.contains("leave target.urls out");
    assert!(found.iter().all(is_it), "{found:?}");
    let drain = "faults=[{at=\"1s\",do=\"drain\",server=\"n2\"},{at=\"2s\",do=\"run\",command=[\"true\"]}]";
    assert!(problems(&[urls, secret, drain])[0].contains("target.ops_urls"));
    let ops = "target.ops_urls=[\"http://127.0.0.1:3\", \"http://127.0.0.1:4\"]";
    assert_eq!(problems(&[urls, secret, drain, ops]), Vec::<String>::new());
}

#[test]
fn an_empty_scenario_says_what_could_be_in_it() {
    let empty = load("name = \"empty\"", &[]).unwrap();
    assert!(check(&empty).unwrap_err()[0].contains("[calls]"));
}
