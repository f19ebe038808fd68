//! A status as lines of text, for a terminal or a pipe. Not the terminal itself (`command::screen`).

use std::collections::BTreeSet;

use super::report::{NodeStatus, RedisStatus, Status};

/// Where a column stands in its width.
#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

use Align::{Left, Right};

/// All lines of `status`, the heads of tables among them.
pub(crate) fn lines(status: &Status) -> Vec<String> {
    let mut lines = vec![summary(status), String::new()];
    lines.extend(nodes(&status.nodes));
    for node in &status.nodes {
        let problems = node.problems.iter();
        lines.extend(problems.map(|problem| format!("! {}: {problem}", node.node)));
    }
    for port in &status.unreachable {
        lines.push(format!("! {} is unreachable: {}", port.url, port.problem));
    }
    if !status.redis.is_empty() {
        lines.push(String::new());
        lines.extend(redis(&status.redis));
        let servers = status.redis.iter().filter(|server| !server.detail.is_empty());
        lines.extend(servers.map(|server| {
            let RedisStatus {
                server, node, detail, ..
            } = server;
            format!("! {server}, seen by {node}: {detail}")
        }));
    }
    lines.push(String::new());
    lines.extend(largest(status));
    // Words of other nodes end up on a terminal.
    let is_plain = |symbol: &char| !symbol.is_control();
    lines
        .into_iter()
        .map(|line| line.chars().filter(is_plain).collect())
        .collect()
}

fn summary(status: &Status) -> String {
    let connections: u64 = status.nodes.iter().map(|node| node.connections).sum();
    let messages: f64 = status.nodes.iter().map(|node| node.messages_per_second).sum();
    let draining = status.nodes.iter().filter(|node| node.state != "serving").count();
    let drains = match draining {
        0 => String::new(),
        1 => "; 1 node drains".into(),
        count => format!("; {count} nodes drain"),
    };
    format!(
        "{}, {}, {messages:.1} messages/s{drains}",
        counted(status.nodes.len() as u64, "node"),
        counted(connections, "connection"),
    )
}

fn nodes(nodes: &[NodeStatus]) -> Vec<String> {
    let head = [
        ("NODE", Left),
        ("STATE", Left),
        ("BUS", Left),
        ("CONNECTIONS", Right),
        ("CONNECTS/S", Right),
        ("MESSAGES/S", Right),
        ("P99", Right),
        ("UP", Right),
        ("VERSION", Left),
        ("SOURCE", Left),
    ];
    let rows = nodes.iter().map(|node| {
        let p99 = node.delivery_p99_ms;
        [
            node.node.clone(),
            node.state.clone(),
            node.bus.clone(),
            node.connections.to_string(),
            format!("{:.1}", node.connects_per_second),
            format!("{:.1}", node.messages_per_second),
            p99.map_or_else(|| "-".into(), |p99| format!("{p99:.2} ms")),
            duration(node.uptime_s),
            node.version.clone(),
            if node.asked { "asked" } else { "Redis" }.into(),
        ]
    });
    table(head, rows)
}

fn redis(servers: &[RedisStatus]) -> Vec<String> {
    let head = [
        ("REDIS", Left),
        ("SEEN BY", Left),
        ("PEERS", Right),
        ("STATE", Left),
        ("LEASE", Left),
        ("RENEWED", Right),
        ("SUBSCRIPTIONS", Right),
    ];
    let rows = servers.iter().map(|server| {
        let age = server.lease_age_ms;
        [
            server.server.clone(),
            server.node.clone(),
            format!("{} %", server.percent_of_peers),
            server.state.clone(),
            server.lease.clone(),
            age.map_or_else(|| "-".into(), |age| format!("{:.1} s", age as f64 / 1_000.0)),
            format!(
                "{}/{}",
                server.subscriptions_confirmed, server.subscriptions_desired
            ),
        ]
    });
    table(head, rows)
}

fn largest(status: &Status) -> Vec<String> {
    let asked = status.nodes.iter().filter(|node| node.asked);
    let asked: BTreeSet<_> = asked.map(|node| node.node.as_str()).collect();
    let on = asked.into_iter().collect::<Vec<_>>().join(", ");
    let tenants = status
        .tenants
        .iter()
        .map(|tenant| [tenant.tenant.clone(), tenant.sessions.to_string()]);
    let rooms = status.rooms.iter().map(|room| {
        [
            format!("{}/{}", room.tenant, room.room),
            room.members.to_string(),
            room.members_here.to_string(),
        ]
    });
    let mut lines = table(
        [
            (format!("LARGEST TENANTS ON {on}"), Left),
            ("SESSIONS".into(), Right),
        ],
        tenants,
    );
    lines.push(String::new());
    lines.extend(table(
        [
            (format!("LARGEST ROOMS ON {on}"), Left),
            ("MEMBERS".into(), Right),
            ("HERE".into(), Right),
        ],
        rooms,
    ));
    lines
}

/// A head and rows, in columns as wide as their widest text.
fn table<const COLUMNS: usize>(
    head: [(impl Into<String>, Align); COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> Vec<String> {
    let (mut titles, mut aligns) = (Vec::new(), Vec::new());
    for (title, align) in head {
        titles.push(title.into());
        aligns.push(align);
    }
    let mut all = vec![titles];
    all.extend(rows.map(Vec::from));
    let widest = |column: usize| all.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..COLUMNS)
        .map(|column| widest(column).unwrap_or_default())
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&aligns).zip(&widths);
        let cells = cells.map(|((cell, align), width)| match align {
            Left => format!("{cell:<width$}"),
            Right => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// The two largest units of a time.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{}h{:02}", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{RoomStatus, TenantStatus, Unreachable};
    use super::*;

    fn example() -> Status {
        Status {
            nodes: vec![
                NodeStatus {
                    node: "n1".into(),
                    asked: true,
                    version: "0.1.0".into(),
                    wire_version: 1,
                    state: "serving".into(),
                    bus: "up".into(),
                    problems: vec!["reload-failed: tls: node.pem".into()],
                    uptime_s: 7_380,
                    connections: 1_200,
                    connects_per_second: 1.25,
                    messages_per_second: 200.0,
                    delivery_p99_ms: Some(1.3),
                },
                NodeStatus {
                    node: "node-2".into(),
                    state: "draining".into(),
                    bus: "up".into(),
                    connections: 1,
                    ..NodeStatus::default()
                },
            ],
            redis: vec![RedisStatus {
                server: "127.0.0.1:6379".into(),
                node: "n1".into(),
                percent_of_peers: 100,
                state: "up".into(),
                lease: "held".into(),
                lease_age_ms: Some(1_240),
                subscriptions_desired: 9,
                subscriptions_confirmed: 9,
                ..RedisStatus::default()
            }],
            tenants: vec![TenantStatus {
                tenant: "acme".into(),
                sessions: 1_200,
            }],
            rooms: vec![RoomStatus {
                tenant: "acme".into(),
                room: "lobby".into(),
                members: 50,
                members_here: 20,
            }],
            unreachable: vec![Unreachable {
                url: "http://10.0.0.9:9090".into(),
                problem: "no answer\u{1b}[31m".into(),
            }],
        }
    }

    #[test]
    fn the_text_has_the_nodes_their_problems_the_servers_and_the_largest() {
        let text = lines(&example()).join("\n");
        assert_eq!(
            text,
            "2 nodes, 1201 connections, 200.0 messages/s; 1 node drains\n\
             \n\
             NODE    STATE     BUS  CONNECTIONS  CONNECTS/S  MESSAGES/S      P99    UP  VERSION  SOURCE\n\
             n1      serving   up          1200         1.2       200.0  1.30 ms  2h03  0.1.0    asked\n\
             node-2  draining  up             1         0.0         0.0        -   0 s           Redis\n\
             ! n1: reload-failed: tls: node.pem\n\
             ! http://10.0.0.9:9090 is unreachable: no answer[31m\n\
             \n\
             REDIS           SEEN BY  PEERS  STATE  LEASE  RENEWED  SUBSCRIPTIONS\n\
             127.0.0.1:6379  n1       100 %  up     held     1.2 s            9/9\n\
             \n\
             LARGEST TENANTS ON n1  SESSIONS\n\
             acme                       1200\n\
             \n\
             LARGEST ROOMS ON n1  MEMBERS  HERE\n\
             acme/lobby                50    20"
        );
    }

    #[test]
    fn a_time_has_its_largest_units() {
        let times = [59, 61, 3_600, 90_061].map(duration);
        assert_eq!(times, ["59 s", "1 min", "1h00", "1d01h"]);
    }
}
