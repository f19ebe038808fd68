//! Costs: what the servers used, over what was done with it. Pure.

use std::collections::BTreeMap;

use crate::{cluster::REDIS, record::Counter, results::ServerUse};

/// Below so many messages, connects or connections, what a server does anyway would be most of a figure.
const LEAST: u64 = 100;

/// Connections are idle as long as there were no more messages than this for each: one to warm it up, and some.
const IDLE_MESSAGES: u64 = 2;

/// The figures that can be derived, by name. Counts and CPU must be of the same span, the load of `load_s` seconds.
///
/// - `nodes_cores`, `redis_cores`: CPU over the load, in cores.
/// - `cpu_us_per_message`: CPU of all nodes per message *sent*, in microseconds; whatever else they did in the time,
///   such as connects and final words, is in it. `cpu_us_per_message_redis`: the Redis'.
/// - `messages_per_second_per_core`: messages sent, per second of the nodes' CPU.
/// - `kib_per_idle_connection`: resident memory of all nodes at the end of the load less that before the first
///   connection, over the connections held; only where there was hardly a message.
/// - `cpu_us_per_connect`: CPU of all nodes per connect, in microseconds; only where there was no message.
pub(crate) fn costs(
    servers: &[ServerUse],
    counts: &BTreeMap<String, u64>,
    load_s: f64,
) -> BTreeMap<String, f64> {
    let (redis, nodes): (Vec<_>, Vec<_>) = servers.iter().partition(|server| server.name == REDIS);
    let cpu_s = |of: &[&ServerUse]| of.iter().map(|server| server.cpu_s).sum::<f64>();
    let (nodes_cpu_s, redis_cpu_s) = (cpu_s(&nodes), cpu_s(&redis));
    let count = |counter: Counter| counts.get(counter.name()).copied().unwrap_or_default();
    let (sent, connects) = (count(Counter::Sent), count(Counter::Connects));
    let connections: u64 = nodes.iter().map(|node| node.connections).sum();

    let mut figures = BTreeMap::new();
    // A server that is not on this machine has no CPU time here; 0 would be a lie.
    let mut figure = |name: &str, is_known: bool, value: f64| {
        if is_known && value.is_finite() {
            figures.insert(name.to_owned(), value);
        }
    };
    figure("nodes_cores", nodes_cpu_s > 0.0, nodes_cpu_s / load_s);
    figure("redis_cores", redis_cpu_s > 0.0, redis_cpu_s / load_s);

    let (is_busy, messages) = (sent >= LEAST, number(sent));
    figure(
        "cpu_us_per_message",
        is_busy && nodes_cpu_s > 0.0,
        nodes_cpu_s * 1e6 / messages,
    );
    figure(
        "cpu_us_per_message_redis",
        is_busy && redis_cpu_s > 0.0,
        redis_cpu_s * 1e6 / messages,
    );
    figure(
        "messages_per_second_per_core",
        is_busy && nodes_cpu_s > 0.0,
        messages / nodes_cpu_s,
    );

    let is_idle = connections >= LEAST && sent <= connections.saturating_mul(IDLE_MESSAGES);
    let grown_kib: f64 = nodes
        .iter()
        .map(|node| node.resident_after_kib - node.resident_before_kib)
        .sum();
    // A node that is elsewhere, or dead at the end, has no memory to compare.
    let is_measured = nodes
        .iter()
        .all(|node| node.resident_before_kib > 0.0 && node.resident_after_kib > 0.0);
    figure(
        "kib_per_idle_connection",
        is_idle && is_measured,
        grown_kib / number(connections),
    );

    let only_connects = sent == 0 && connects >= LEAST;
    figure(
        "cpu_us_per_connect",
        only_connects && nodes_cpu_s > 0.0,
        nodes_cpu_s * 1e6 / number(connects),
    );
    figures
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
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
            ..ServerUse::default()
        }
    }

    fn counts(sent: u64, connects: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("sent".to_owned(), sent), ("connects".to_owned(), connects)])
    }

    #[test]
    fn the_cost_of_a_message_is_the_nodes_without_the_redis() {
        let servers = [
            server("n1", 3.0, 0.0, 50),
            server("n2", 1.0, 0.0, 50),
            server("redis", 0.5, 0.0, 0),
        ];
        let costs = costs(&servers, &counts(100_000, 100), 10.0);
        assert_eq!(costs["cpu_us_per_message"], 40.0);
        assert_eq!(costs["cpu_us_per_message_redis"], 5.0);
        assert_eq!(costs["messages_per_second_per_core"], 25_000.0);
        assert_eq!(costs["nodes_cores"], 0.4);
        assert!(!costs.contains_key("kib_per_idle_connection"), "{costs:?}");
        assert!(!costs.contains_key("cpu_us_per_connect"), "{costs:?}");
    }

    #[test]
    fn memory_is_told_of_idle_connections_only() {
        let servers = [
            server("n1", 1.0, 6_000.0, 1_000),
            server("n2", 1.0, 4_000.0, 1_000),
        ];
        let idle = costs(&servers, &counts(2_000, 0), 10.0);
        assert_eq!(idle["kib_per_idle_connection"], 5.0);
        let busy = costs(&servers, &counts(200_000, 0), 10.0);
        assert!(!busy.contains_key("kib_per_idle_connection"), "{busy:?}");
    }

    #[test]
    fn connects_cost_something_only_where_nothing_else_was_done() {
        let servers = [server("n1", 0.2, 0.0, 10)];
        assert_eq!(
            costs(&servers, &counts(0, 1_000), 5.0)["cpu_us_per_connect"],
            200.0
        );
        assert!(!costs(&servers, &counts(1, 1_000), 5.0).contains_key("cpu_us_per_connect"));
    }

    #[test]
    fn servers_elsewhere_have_no_costs() {
        let far = [ServerUse {
            name: "n1".to_owned(),
            connections: 1_000,
            ..ServerUse::default()
        }];
        assert_eq!(costs(&far, &counts(1_000, 1_000), 10.0), BTreeMap::new());
    }
}
