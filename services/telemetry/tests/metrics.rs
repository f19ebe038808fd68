//! The content of `/metrics`, and its documentation in `docs/metrics.md`.

use std::time::Duration;

use switchboard_protocol::SendOutcome;
use switchboard_protocol::{ErrorCode, MessageKind};
use switchboard_telemetry::{CATALOGUE, Kind, Path, RedisOp, RefusalReason, Telemetry, Transport};

#[test]
fn every_metric_of_the_catalogue_is_rendered_from_the_start() {
    let telemetry = Telemetry::new("n1");
    let _shard = telemetry.of_shard("127.0.0.1:6379");
    let text = telemetry.render().unwrap();
    for metric in CATALOGUE {
        assert!(
            text.contains(&format!("# HELP {} ", metric.name)),
            "{} is missing",
            metric.name
        );
    }
}

#[test]
fn counters_end_in_total_and_durations_in_seconds() {
    for metric in CATALOGUE {
        assert!(metric.name.starts_with("switchboard_"), "{}", metric.name);
        assert_eq!(
            metric.name.ends_with("_total"),
            metric.kind == Kind::Counter,
            "{}",
            metric.name
        );
        assert!(
            !metric.labels.contains(&"peer") && !metric.labels.contains(&"room"),
            "{}",
            metric.name
        );
    }
}

#[test]
fn an_outcome_is_counted_by_kind_path_and_outcome() {
    let telemetry = Telemetry::new("n1");
    telemetry.send_ended(MessageKind::Answer, Path::Remote, SendOutcome::Delivered);
    telemetry.send_ended(
        MessageKind::Bye,
        Path::Local,
        SendOutcome::Error(ErrorCode::QueueFull),
    );
    let text = telemetry.render().unwrap();
    assert!(
        text.contains(r#"switchboard_messages_total{kind="answer",outcome="delivered",path="remote"} 1"#)
    );
    assert!(text.contains(r#"switchboard_messages_total{kind="bye",outcome="queue-full",path="local"} 1"#));
    assert!(text.contains(r#"switchboard_messages_total{kind="offer",outcome="delivered",path="remote"} 0"#));
}

#[test]
fn dropping_a_guard_decrements_the_gauge() {
    let telemetry = Telemetry::new("n1");
    let guard = telemetry.connection_opened(Transport::WebSocket);
    telemetry.connect_refused(RefusalReason::Origin);
    assert!(
        telemetry
            .render()
            .unwrap()
            .contains(r#"switchboard_connections{transport="websocket"} 1"#)
    );
    drop(guard);
    let text = telemetry.render().unwrap();
    assert!(text.contains(r#"switchboard_connections{transport="websocket"} 0"#));
    assert!(text.contains(r#"switchboard_connections_total{transport="websocket"} 1"#));
    assert!(text.contains(r#"switchboard_connect_refusals_total{reason="origin"} 1"#));
}

#[test]
fn close_codes_outside_the_table_share_one_series() {
    let telemetry = Telemetry::new("n1");
    telemetry.connection_closed(4409);
    telemetry.connection_closed(4999);
    let text = telemetry.render().unwrap();
    assert!(text.contains(r#"switchboard_closes_total{code="4409"} 1"#));
    assert!(text.contains(r#"switchboard_closes_total{code="other"} 1"#));
}

#[test]
fn the_series_of_a_redis_server_name_it_and_end_with_its_last_user() {
    let telemetry = Telemetry::new("n1");
    let (first, second) = (telemetry.of_shard("r1:6379"), telemetry.of_shard("r2:6379"));
    let again = telemetry.of_shard("r2:6379");
    first.bus_up(true);
    second.redis_command(RedisOp::Claim, Duration::ZERO, false);
    again.redis_command(RedisOp::Claim, Duration::ZERO, false);
    let text = telemetry.render().unwrap();
    assert!(text.contains(r#"switchboard_bus_up{shard="r1:6379"} 1"#));
    assert!(text.contains(r#"switchboard_redis_command_errors_total{op="claim",shard="r1:6379"} 0"#));
    assert!(text.contains(r#"switchboard_redis_command_errors_total{op="claim",shard="r2:6379"} 2"#));
    drop(second);
    assert!(telemetry.render().unwrap().contains("r2:6379"));
    drop(again);
    let text = telemetry.render().unwrap();
    assert!(text.contains("r1:6379") && !text.contains("r2:6379"), "{text}");
}

#[test]
fn the_series_of_a_shard_follow_it_to_another_server() {
    let telemetry = Telemetry::new("n1");
    let shard = telemetry.of_shard("r1:6379");
    let health = shard.clone();
    health.bus_up(true);
    shard.moved_to("r2:6379");
    let text = telemetry.render().unwrap();
    assert!(!text.contains("r1:6379"), "{text}");
    assert!(
        text.contains(r#"switchboard_bus_up{shard="r2:6379"} 0"#),
        "{text}"
    );
    health.bus_up(true);
    shard.redis_command(RedisOp::Claim, Duration::ZERO, false);
    let text = telemetry.render().unwrap();
    assert!(
        text.contains(r#"switchboard_bus_up{shard="r2:6379"} 1"#),
        "{text}"
    );
    assert!(text.contains(r#"switchboard_redis_command_errors_total{op="claim",shard="r2:6379"} 1"#));
}

#[test]
fn a_shard_that_ends_does_not_set_the_gauges_of_the_next_one_on_its_server() {
    let telemetry = Telemetry::new("n1");
    let first = telemetry.of_shard("r1:6379");
    first.bus_up(true);
    let next = telemetry.of_shard("r1:6379");
    next.bus_up(true);
    first.bus_up(false);
    first.end();
    let text = telemetry.render().unwrap();
    assert!(
        text.contains(r#"switchboard_bus_up{shard="r1:6379"} 1"#),
        "{text}"
    );
}

#[test]
fn nodes_of_one_process_have_their_own_metrics() {
    let (n1, n2) = (Telemetry::new("n1"), Telemetry::new("n2"));
    n1.takeover();
    assert!(n1.render().unwrap().contains("switchboard_takeovers_total 1"));
    assert!(n2.render().unwrap().contains("switchboard_takeovers_total 0"));
}

#[test]
fn the_documentation_lists_every_metric_with_its_kind_and_labels_and_no_other() {
    let page = include_str!("../../../docs/metrics.md");
    let mut rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `switchboard_"))
        .collect();
    for metric in CATALOGUE {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect::<Vec<_>>()
            .join(", ");
        let start = format!("| `{}` | {kind} | {labels} | {}", metric.name, metric.help);
        let Some(at) = rows.iter().position(|row| row.starts_with(&start)) else {
            panic!("docs/metrics.md needs a row that starts with\n{start}");
        };
        rows.remove(at);
    }
    assert!(rows.is_empty(), "rows of metrics that do not exist: {rows:?}");
}
