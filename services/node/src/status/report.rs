//! The answer of `GET /status` and of `switchboard status --json`. Only its form: `docs/operating.md` shows it, and a test compares
//! both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchboard_core::NodeRecord;

/// The state of a cluster, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Status {
    /// The nodes, by name.
    pub(crate) nodes: Vec<NodeStatus>,
    /// The Redis servers, as each asked node sees them; empty where the bus is in the memory of one node.
    pub(crate) redis: Vec<RedisStatus>,
    /// The tenants with most sessions on the asked nodes, at most 10.
    pub(crate) tenants: Vec<TenantStatus>,
    /// The rooms with most members, of those with a member on an asked node; at most 10.
    pub(crate) rooms: Vec<RoomStatus>,
    /// The operations ports that gave no answer.
    pub(crate) unreachable: Vec<Unreachable>,
}

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct NodeStatus {
    /// Its name.
    pub(crate) node: String,
    /// Whether it was asked itself. The others are known from Redis, up to 7 s old.
    pub(crate) asked: bool,
    /// The version of its program.
    pub(crate) version: String,
    /// The version of what it says to other nodes; 0: it says none.
    pub(crate) wire_version: u16,
    /// `serving`, `draining` (and back by `/undrain`) or `stopping` (then the process ends).
    pub(crate) state: String,
    /// The state of its bus: `up`, `degraded`, `connecting`, `down`, `refusing` or `deaf`.
    pub(crate) bus: String,
    /// Why it is not ready, and what else needs attention, as in `/readyz`. Only of a node that was asked.
    pub(crate) problems: Vec<String>,
    /// Seconds since its start.
    pub(crate) uptime_s: u64,
    /// Open connections of clients.
    pub(crate) connections: u64,
    /// Connections that clients opened, a second, over the last 10 s.
    pub(crate) connects_per_second: f64,
    /// Messages that clients sent, a second, over the last 10 s.
    pub(crate) messages_per_second: f64,
    /// Milliseconds within which 99 of 100 sends were delivered, over the last 10 s; absent without a delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery_p99_ms: Option<f64>,
}

/// A Redis server, as a node sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct RedisStatus {
    /// The address of the server.
    pub(crate) server: String,
    /// The node that sees it like this.
    pub(crate) node: String,
    /// The share of the peers that it serves, in percent.
    pub(crate) percent_of_peers: usize,
    /// Its state, with the words of a bus.
    pub(crate) state: String,
    /// Why it is not up; empty if it is.
    pub(crate) detail: String,
    /// The node's lease on it: `held`, `over` (other nodes take this one for dead) or `none` (never held).
    pub(crate) lease: String,
    /// Milliseconds since the lease was renewed; absent if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease_age_ms: Option<u64>,
    /// Channels that the node wants to hear.
    pub(crate) subscriptions_desired: usize,
    /// Channels that it hears.
    pub(crate) subscriptions_confirmed: usize,
}

/// A tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct TenantStatus {
    /// Its name.
    pub(crate) tenant: String,
    /// Its sessions that are connected to the asked nodes.
    pub(crate) sessions: usize,
}

/// A room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct RoomStatus {
    /// The tenant.
    pub(crate) tenant: String,
    /// The room.
    pub(crate) room: String,
    /// Its members, on all nodes.
    pub(crate) members: usize,
    /// Those that are connected to the asked nodes.
    pub(crate) members_here: usize,
}

/// An operations port that gave no answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Unreachable {
    /// Its URL.
    pub(crate) url: String,
    /// Why.
    pub(crate) problem: String,
}

impl From<NodeRecord> for NodeStatus {
    fn from(record: NodeRecord) -> Self {
        let p99 = record.delivery_p99;
        Self {
            node: record.node,
            asked: false,
            version: record.version,
            wire_version: record.wire.0,
            state: record.state,
            bus: record.bus,
            problems: Vec::new(),
            uptime_s: record.uptime.as_secs(),
            connections: record.connections,
            connects_per_second: two_places(record.connects_per_second),
            messages_per_second: two_places(record.messages_per_second),
            delivery_p99_ms: p99.map(|p99| two_places(p99.as_secs_f64() * 1_000.0)),
        }
    }
}

fn two_places(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use switchboard_harness::{committed_document, compare_document};

    use super::*;

    /// The comments around the table.
    const BEGIN: &str = "<!-- status -->\n";
    const END: &str = "<!-- /status -->";

    /// The rows of the table for one list of objects, or for the whole document.
    fn rows(schema: &Value, object: &Value, before: &str, out: &mut String) {
        for (name, field) in object["properties"].as_object().unwrap() {
            let about = field["description"].as_str().unwrap().replace('\n', " ");
            out.push_str(&format!("| `{before}{name}` | {about} |\n"));
            if let Some(reference) = field["items"]["$ref"].as_str() {
                let object = schema.pointer(reference.trim_start_matches('#')).unwrap();
                rows(schema, object, &format!("{before}{name}[]."), out);
            }
        }
    }

    #[test]
    fn the_committed_table_has_every_field() {
        let schema = serde_json::to_value(schemars::schema_for!(Status)).unwrap();
        let mut table = String::from("| field | meaning |\n| --- | --- |\n");
        rows(&schema, &schema, "", &mut table);
        let page = committed_document("operating.md").unwrap();
        let (before, rest) = page.split_once(BEGIN).expect("the page has the table");
        let (_, after) = rest.split_once(END).expect("the table has an end");
        let wanted = format!("{before}{BEGIN}{table}{END}{after}");
        let command = "cargo test -p switchboard-node committed";
        compare_document("operating.md", &wanted, command).unwrap();
    }

    #[test]
    fn an_answer_is_read_as_it_was_written_and_one_of_another_version_too() {
        let status = Status {
            nodes: vec![NodeStatus {
                node: "n1".into(),
                asked: true,
                delivery_p99_ms: Some(1.5),
                ..NodeStatus::default()
            }],
            redis: vec![RedisStatus::default()],
            ..Status::default()
        };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
        let other = r#"{"nodes":[{"node":"n2","colour":"blue"}],"moons":2}"#;
        let read: Status = serde_json::from_str(other).unwrap();
        assert_eq!((read.nodes[0].node.as_str(), read.redis.len()), ("n2", 0));
    }
}
