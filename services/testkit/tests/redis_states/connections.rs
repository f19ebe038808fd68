//! A Redis that closes, refuses or delays connections.

use std::time::Duration;

use switchboard_testkit::RedisOptions;
use tokio::time::{Instant, sleep};

use crate::drill::{Admin, Drill, ENDS};

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_maxclients_connections_is_named_and_those_that_are_there_go_on() {
    let mut drill = Drill::start(RedisOptions::default()).await;
    let mut admin = Admin::open(drill.redis()).await;
    drill.fault("nobody may connect any more");
    admin.call("CONFIG SET maxclients 1").await;
    drill.lasts(4.0).await;
    assert_eq!(
        drill.metric("switchboard_bus_up").await,
        2.0,
        "nothing has happened"
    );
    drill.fault("the pub/sub connections are gone");
    admin.call("CLIENT KILL TYPE pubsub").await;
    drill
        .until_reason("bus-down", "as many connections as `maxclients` allows")
        .await;
    for _ in 0..3 {
        drill.calls_on_one_node_go_on().await;
        drill.lasts(1.0).await;
    }
    drill.fault("everybody may connect");
    admin.call("CONFIG SET maxclients 10000").await;
    drill.until_ready().await;
    drill.lasts(2.0).await;
    drill.has_one_outage_in_the_log("is down", "");
    drill.end(&ENDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pubsub_connection_that_hits_its_output_buffer_limit_is_replaced_and_nothing_is_lost() {
    const REBUILT: &str = "switchboard_bus_rebuilds_total{reason=\"closed\"}";
    let mut drill = Drill::start(RedisOptions::default()).await;
    let limit = async |limit: &str| {
        let words = ["CONFIG", "SET", "client-output-buffer-limit", limit];
        drill.redis().command::<String>(&words).await.unwrap();
    };
    limit("pubsub 1 0 0").await;
    drill.fault("a message is larger than the output buffer of a pub/sub connection may be");
    drill.send_across(60_000).await;
    drill.lasts(1.0).await;
    let rebuilt = drill.metric(REBUILT).await;
    assert!(rebuilt >= 1.0, "Redis closed the connection");
    drill.fault("the limit is as before");
    let words = [
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "pubsub 32mb 8mb 60",
    ];
    drill.redis().command::<String>(&words).await.unwrap();
    drill.until_ready().await;
    drill.lasts(2.0).await;
    println!("{rebuilt} connections were replaced");
    let report = drill.end(&[]).await;
    assert_eq!(report.failures(), 0, "the sender's node sent it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_pauses_its_clients_costs_no_send_its_outcome() {
    let mut drill = Drill::start(RedisOptions::default()).await;
    for mode in ["ALL", "WRITE"] {
        drill.fault(&format!("Redis pauses: {mode}"));
        let words = ["CLIENT", "PAUSE", "3500", mode];
        drill.redis().command::<String>(&words).await.unwrap();
        let end = Instant::now() + Duration::from_millis(3_500);
        while Instant::now() < end {
            drill.calls_on_one_node_go_on().await;
            drill.lasts(0.2).await;
        }
        drill.fault("Redis goes on");
        drill.until_ready().await;
        drill.lasts(3.0).await;
    }
    drill.end(&ENDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_of_the_other_connections_in_seven_seconds_cost_no_send_its_delivery() {
    let drill = Drill::start(RedisOptions::default()).await;
    for kill in 1..=10 {
        drill.fault(&format!(
            "Redis kills all connections but those of pub/sub, time {kill}"
        ));
        let killed = drill
            .redis()
            .command::<u64>(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert!(killed.await.unwrap() > 0, "they were back");
        drill.lasts(0.7).await;
    }
    drill.until_ready().await;
    let report = drill.end(&[]).await;
    assert_eq!(report.failures(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_kills_every_pubsub_connection_at_once_is_dialled_no_more_than_three_times_a_second() {
    const REBUILT: &str = "switchboard_bus_rebuilds_total{reason=\"closed\"}";
    let drill = Drill::start(RedisOptions::default()).await;
    drill.fault("every pub/sub connection is killed at once");
    let (start, lasts) = (Instant::now(), Duration::from_secs(4));
    while start.elapsed() < lasts {
        let _: u64 = drill
            .redis()
            .command(&["CLIENT", "KILL", "TYPE", "pubsub"])
            .await
            .unwrap();
        // Sooner than a connection counts as a good one.
        sleep(Duration::from_millis(20)).await;
    }
    let rebuilt = drill.metric(REBUILT).await / 2.0;
    println!("{rebuilt} connections of each node in {lasts:?}");
    assert!(
        rebuilt >= 4.0 && rebuilt <= lasts.as_secs_f64() * 3.0,
        "{rebuilt}"
    );
    drill.fault("none is killed any more");
    drill.until_ready().await;
    drill.lasts(1.0).await;
    for lines in drill.bus_lines() {
        assert_eq!(lines.len(), 6, "three outages have lines in a minute: {lines:#?}");
        assert!(lines[5].contains("between nodes is up"), "{}", lines[5]);
    }
    drill.end(&ENDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_counts_for_new_connections_and_is_named_but_not_shown() {
    let options = RedisOptions {
        password: Some("sesame-1".to_owned()),
        ..RedisOptions::default()
    };
    let mut drill = Drill::start(options).await;
    let mut admin = Admin::open(drill.redis()).await;
    admin.call("AUTH sesame-1").await;
    drill.fault("the password is another one");
    admin.call("CONFIG SET requirepass sesame-2").await;
    drill.lasts(4.0).await;
    assert_eq!(
        drill.metric("switchboard_bus_up").await,
        2.0,
        "open connections go on"
    );
    drill.fault("new connections are needed");
    admin.call("CLIENT KILL TYPE normal").await;
    admin.call("CLIENT KILL TYPE pubsub").await;
    drill
        .until_reason("bus-down", "the user or the password is wrong")
        .await;
    for _ in 0..3 {
        drill.calls_on_one_node_go_on().await;
        drill.lasts(1.0).await;
    }
    drill.fault("the password is as before");
    admin.call("CONFIG SET requirepass sesame-1").await;
    drill.until_ready().await;
    drill.lasts(2.0).await;
    drill.has_one_outage_in_the_log("is down", "");
    for node in &drill.cluster.nodes {
        assert!(!node.log().contains("sesame"), "no password in the log");
        let body = node.get("/readyz").await.unwrap().body;
        assert!(!body.contains("sesame"), "{body}");
    }
    drill.end(&ENDS).await;
}
