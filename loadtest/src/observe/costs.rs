//! Costs: what the servers used, divided by what was done with it. Pure.

use std::collections::BTreeMap;

use crate::{cluster::is_redis, record::Counter, results::ServerUse};

/// With fewer messages, connects or connections, the idle work of a server would be most of a figure.
const MIN_COUNT: u64 = 100;

/// Connections are idle if there were no more messages than this for each: one to warm it up, and some.
const IDLE_MESSAGES: u64 = 2;

/// The figures that can be derived, by name. Counts and CPU must be of the same span, the load of `load_s` seconds.
///
/// - `nodes_cores`, `redis_cores`: CPU over the load, in cores.
/// - `cpu_us_per_message`: CPU of all nodes per message *sent*, in microseconds. Everything else that they did in the
///   time is in it, for example connects and outcomes. `cpu_us_per_message_redis`: the same for all servers of Redis;
///   `cpu_us_per_message_redis-1` and so on: for each of several.
/// - `redis_commands_per_message`: commands that Redis processed per message sent.
/// - `messages_per_second_per_core`: messages sent, per second of the nodes' CPU.
/// - `kib_per_idle_connection`: resident memory of all nodes at the end of the load less that before the first
///   connection, divided by the connections held; only where there was hardly a message and no room.
/// - `cpu_us_per_connect`: CPU of all nodes per connect, in microseconds; only where there was no message.
/// - `cpu_us_per_join`: CPU of all nodes per join of a room, in microseconds, with the events for the other members; only
///   where there was no message and no leave. `cpu_us_per_join_redis`: the same for Redis. `redis_commands_per_join`:
///   commands that Redis processed per join.
pub(crate) fn costs(
    servers: &[ServerUse],
    counts: &BTreeMap<String, u64>,
    load_s: f64,
) -> BTreeMap<String, f64> {
    let (redis, nodes): (Vec<_>, Vec<_>) = servers.iter().partition(|server| is_redis(&server.name));
    let sum =
        |of: &[&ServerUse], what: fn(&ServerUse) -> f64| of.iter().map(|server| what(server)).sum::<f64>();
    let (nodes_cpu_s, redis_cpu_s) = (sum(&nodes, |node| node.cpu_s), sum(&redis, |redis| redis.cpu_s));
    let commands = sum(&redis, |redis| {
        redis
            .metrics
            .get("redis_commands_processed_total")
            .copied()
            .unwrap_or(0.0)
    });
    let grown_kib = sum(&nodes, |node| node.resident_after_kib - node.resident_before_kib);
    let connections: u64 = nodes.iter().map(|node| node.connections).sum();
    let count = |counter: Counter| counts.get(counter.name()).copied().unwrap_or_default();
    let (sent, connects) = (count(Counter::Sent), count(Counter::Connects));

    // A server that is not on this machine has no CPU time here; 0 would be wrong.
    let (has_nodes, has_redis) = (nodes_cpu_s > 0.0, redis_cpu_s > 0.0);
    let (is_busy, only_connects) = (sent >= MIN_COUNT, sent == 0 && connects >= MIN_COUNT);
    // A node that is elsewhere, or dead at the end, has no memory to compare.
    let has_memory = nodes
        .iter()
        .all(|node| node.resident_before_kib > 0.0 && node.resident_after_kib > 0.0);
    let joins = count(Counter::Joins);
    let is_idle = connections >= MIN_COUNT && sent <= connections.saturating_mul(IDLE_MESSAGES) && joins == 0;
    let only_joins = sent == 0 && joins >= MIN_COUNT && count(Counter::Leaves) == 0;
    let joins = joins as f64;
    let (messages, connections) = (sent as f64, connections as f64);
    let figures = [
        ("nodes_cores", has_nodes, nodes_cpu_s / load_s),
        ("redis_cores", has_redis, redis_cpu_s / load_s),
        (
            "cpu_us_per_message",
            is_busy && has_nodes,
            nodes_cpu_s * 1e6 / messages,
        ),
        (
            "cpu_us_per_message_redis",
            is_busy && has_redis,
            redis_cpu_s * 1e6 / messages,
        ),
        (
            "redis_commands_per_message",
            is_busy && has_redis,
            commands / messages,
        ),
        (
            "messages_per_second_per_core",
            is_busy && has_nodes,
            messages / nodes_cpu_s,
        ),
        (
            "kib_per_idle_connection",
            is_idle && has_memory,
            grown_kib / connections,
        ),
        (
            "cpu_us_per_connect",
            only_connects && has_nodes,
            nodes_cpu_s * 1e6 / connects as f64,
        ),
        (
            "cpu_us_per_join",
            only_joins && has_nodes,
            nodes_cpu_s * 1e6 / joins,
        ),
        (
            "cpu_us_per_join_redis",
            only_joins && has_redis,
            redis_cpu_s * 1e6 / joins,
        ),
        (
            "redis_commands_per_join",
            only_joins && has_redis,
            commands / joins,
        ),
    ];
    let known = figures
        .into_iter()
        .filter(|(_, is_known, value)| *is_known && value.is_finite());
    let of_each = redis
        .iter()
        .filter(|_| redis.len() > 1 && is_busy && has_redis)
        .map(|server| {
            let cost = server.cpu_s * 1e6 / messages;
            (format!("cpu_us_per_message_{}", server.name), cost)
        });
    known
        .map(|(name, _, value)| (name.to_owned(), value))
        .chain(of_each)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, cpu_s: f64, grown_kib: f64, connections: u64) -> ServerUse {
        ServerUse {
            name: name.to_owned(),
            cpu_s,
            resident_before_kib: 20_000.0,
            resident_after_kib: 20_000.0 + grown_kib,
            connections,
            metrics: BTreeMap::from([("redis_commands_processed_total".to_owned(), 200_000.0)]),
            ..ServerUse::default()
        }
    }

    fn names(costs: &BTreeMap<String, f64>) -> Vec<&str> {
        costs
            .keys()
            .map(String::as_str)
            .filter(|name| !name.ends_with("cores"))
            .collect()
    }

    #[test]
    fn each_figure_is_given_only_where_it_means_something() {
        let counts =
            |sent, connects| BTreeMap::from([("sent".to_owned(), sent), ("connects".to_owned(), connects)]);
        let busy = [
            server("n1", 3.0, 0.0, 50),
            server("n2", 1.0, 0.0, 50),
            server("redis", 0.5, 0.0, 0),
        ];
        let found = costs(&busy, &counts(100_000, 100), 10.0);
        let messages = [
            "cpu_us_per_message",
            "cpu_us_per_message_redis",
            "messages_per_second_per_core",
            "redis_commands_per_message",
        ];
        assert_eq!(names(&found), messages);
        assert_eq!(messages.map(|name| found[name]), [40.0, 5.0, 25_000.0, 2.0]);
        assert_eq!(found["nodes_cores"], 0.4);

        let two = [
            server("n1", 4.0, 0.0, 50),
            server("redis-1", 0.5, 0.0, 0),
            server("redis-2", 0.25, 0.0, 0),
        ];
        let found = costs(&two, &counts(100_000, 100), 10.0);
        let of_redis = [
            "cpu_us_per_message_redis",
            "cpu_us_per_message_redis-1",
            "cpu_us_per_message_redis-2",
        ];
        assert_eq!(of_redis.map(|name| found[name]), [7.5, 5.0, 2.5]);
        assert_eq!(found["redis_commands_per_message"], 4.0);

        let idle = [
            server("n1", 1.0, 6_000.0, 1_000),
            server("n2", 1.0, 4_000.0, 1_000),
        ];
        assert_eq!(
            costs(&idle, &counts(2_000, 0), 10.0)["kib_per_idle_connection"],
            5.0
        );
        assert!(!names(&costs(&idle, &counts(200_000, 0), 10.0)).contains(&"kib_per_idle_connection"));

        let connecting = [server("n1", 0.2, 0.0, 10)];
        assert_eq!(
            costs(&connecting, &counts(0, 1_000), 5.0)["cpu_us_per_connect"],
            200.0
        );
        assert_eq!(
            names(&costs(&connecting, &counts(1, 1_000), 5.0)),
            Vec::<&str>::new()
        );

        let joining = BTreeMap::from([("joins".to_owned(), 1_000)]);
        let found = costs(&busy, &joining, 10.0);
        let joins = [
            "cpu_us_per_join",
            "cpu_us_per_join_redis",
            "redis_commands_per_join",
        ];
        assert_eq!(names(&found), joins);
        assert_eq!(joins.map(|name| found[name]), [4_000.0, 500.0, 200.0]);
        let leaving = BTreeMap::from([("joins".to_owned(), 1_000), ("leaves".to_owned(), 1)]);
        assert_eq!(names(&costs(&busy, &leaving, 10.0)), Vec::<&str>::new());

        let elsewhere = [ServerUse {
            name: "n1".to_owned(),
            connections: 1_000,
            ..ServerUse::default()
        }];
        assert_eq!(costs(&elsewhere, &counts(1_000, 1_000), 10.0), BTreeMap::new());
    }
}
