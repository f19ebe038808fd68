//! What a node says of itself to the others, and its text for the shared store. Words that a reader does not know are those of
//! another version, and count for nothing. Not the data of a node that is asked itself.

use std::time::Duration;

use switchboard_protocol::WireVersion;

/// What a node says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeRecord {
    /// Its name.
    pub node: String,
    /// The version of its program.
    pub version: String,
    /// The version of what it says to other nodes.
    pub wire: WireVersion,
    /// `serving`, `draining` or `stopping`; another version may know more.
    pub state: String,
    /// The state of its bus, as a word.
    pub bus: String,
    /// Since when it runs.
    pub uptime: Duration,
    /// Its open connections.
    pub connections: u64,
    /// Connections that clients opened, a second.
    pub connects_per_second: f64,
    /// Messages that clients sent, a second.
    pub messages_per_second: f64,
    /// Of 100 deliveries 99 took at most this time; `None` without a delivery.
    pub delivery_p99: Option<Duration>,
}

impl NodeRecord {
    /// The longest text that is read, in bytes: twice the longest that this version writes.
    pub const MAX_BYTES: usize = 1024;

    /// The text `<key>=<value> …`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "node={} version={} wire={} state={} bus={} uptime_s={} connections={} connects={:.2} messages={:.2}",
            self.node,
            self.version,
            self.wire,
            self.state,
            self.bus,
            self.uptime.as_secs(),
            self.connections,
            self.connects_per_second,
            self.messages_per_second,
        );
        if let Some(p99) = self.delivery_p99 {
            text += &format!(" p99_us={}", p99.as_micros());
        }
        text
    }

    /// Reads a text; `None` if it is too long or names no node. A value that no node writes counts for nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        let mut record = Self::default();
        // Texts end up on terminals.
        let is_plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_graphic());
        for word in text.split(' ').filter(is_plain) {
            let Some((key, value)) = word.split_once('=') else {
                continue;
            };
            match key {
                "node" => record.node = value.to_owned(),
                "version" => record.version = value.to_owned(),
                "wire" => record.wire = WireVersion(value.parse().unwrap_or_default()),
                "state" => record.state = value.to_owned(),
                "bus" => record.bus = value.to_owned(),
                "uptime_s" => record.uptime = Duration::from_secs(value.parse().unwrap_or_default()),
                "connections" => record.connections = value.parse().unwrap_or_default(),
                "connects" => record.connects_per_second = rate(value),
                "messages" => record.messages_per_second = rate(value),
                "p99_us" => record.delivery_p99 = value.parse().ok().map(Duration::from_micros),
                _ => {}
            }
        }
        (!record.node.is_empty()).then_some(record)
    }
}

fn rate(text: &str) -> f64 {
    let rate: Option<f64> = text.parse().ok();
    rate.filter(|rate| rate.is_finite()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> NodeRecord {
        NodeRecord {
            node: "n1".into(),
            version: "0.1.0".into(),
            wire: WireVersion(7),
            state: "draining".into(),
            bus: "up".into(),
            uptime: Duration::from_secs(77),
            connections: 12_345,
            connects_per_second: 1.25,
            messages_per_second: 2_000.5,
            delivery_p99: Some(Duration::from_micros(1_300)),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let idle = NodeRecord {
            delivery_p99: None,
            ..record()
        };
        for record in [record(), idle] {
            assert_eq!(NodeRecord::parse(&record.text()), Some(record));
        }
    }

    #[test]
    fn words_of_another_version_count_for_nothing() {
        let newer = format!("colour=blue {} more", record().text());
        assert_eq!(NodeRecord::parse(&newer), Some(record()));
        let odd = "node=n2 connections=-1 messages=inf p99_us=x bus=\u{1b}[31m";
        let expected = NodeRecord {
            node: "n2".into(),
            ..NodeRecord::default()
        };
        assert_eq!(NodeRecord::parse(odd), Some(expected));
    }

    #[test]
    fn a_text_without_a_node_or_without_an_end_is_no_record() {
        assert_eq!(NodeRecord::parse(""), None);
        assert_eq!(NodeRecord::parse("connections=7"), None);
        let long = format!("node=n1 x={}", "x".repeat(NodeRecord::MAX_BYTES));
        assert_eq!(NodeRecord::parse(&long), None);
    }

    #[test]
    fn the_longest_record_is_read_by_others() {
        let longest = NodeRecord {
            node: "n".repeat(128),
            version: "9".repeat(64),
            wire: WireVersion(u16::MAX),
            state: "x".repeat(16),
            uptime: Duration::from_secs(u64::MAX),
            connections: u64::MAX,
            connects_per_second: 1e15,
            messages_per_second: 1e15,
            delivery_p99: Some(Duration::from_micros(u64::MAX)),
            ..record()
        };
        assert!(longest.text().len() * 2 <= NodeRecord::MAX_BYTES);
    }
}
