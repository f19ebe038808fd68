//! `[node]`: the node's name.

use switchboard_protocol::NodeId;

use super::{error::ConfigError, section::section};

/// Characters of the host name that a generated node name keeps.
const HOST_CHARS: usize = 64;

section! {
    /// `[node]`.
    NodeSection {
        /// The node's name, unique in the cluster; empty: the host name and a random suffix.
        id: String = String::new(),
    }
}

impl NodeSection {
    pub(super) fn check(&self) -> Result<NodeId, ConfigError> {
        let id = if self.id.is_empty() {
            generated()
        } else {
            self.id.clone()
        };
        NodeId::new(&id).map_err(|error| ConfigError::new("node.id", error.to_string()))
    }
}

/// The host name and a random suffix.
fn generated() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(HOST_CHARS)
        .collect();
    let host = if host.is_empty() { "node" } else { &host };
    let suffix: u32 = rand::random();
    format!("{host}-{suffix:08x}")
}
