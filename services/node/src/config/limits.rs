//! `[limits]`: the bounds of one connection and of the node's public port.

use std::time::Duration;

use switchboard_core::{Limits, RaisedLimits};

use crate::memory;

use super::{check::in_range, error::ConfigError, section::section};

section! {
    /// `[limits]`.
    LimitsSection {
        /// Connections of this node.
        connections: usize = 100_000,
        /// Verified clients admitted per second in the long run, and twice as many at once.
        connects_per_second: u32 = 4_000,
        /// Connects per second of one peer in the long run, and four times as many at once.
        peer_connects_per_second: u32 = 10,
        /// Connections in their handshake at the same time.
        handshakes: usize = 4_096,
        /// The largest frame of a client, in bytes.
        message_bytes: usize = 65_536,
        /// Commands per second of one peer over all its sessions on this node, in the long run.
        messages_per_second: u32 = 1_000,
        /// Commands of one peer at once.
        message_burst: u32 = 4_000,
        /// Pings, pongs and other frames without a command per second of one peer, in the long run.
        control_frames_per_second: u32 = 100,
        /// Such frames of one peer at once.
        control_burst: u32 = 400,
        /// Payload bytes in the send queue of one connection.
        send_queue_bytes: usize = 262_144,
        /// Messages in the send queue of one connection.
        send_queue_messages: usize = 1_024,
        /// Sends of one connection that wait for their outcome; twice as many for all sessions of a peer.
        pending_messages: usize = 4_096,
        /// Payload bytes of those sends.
        pending_bytes: usize = 1_048_576,
        /// Memory that the node may use, in bytes; 0: four fifths of its cgroup's limit, if it has one.
        memory_bytes: u64 = 0,
        /// Bytes that the waiting sends of one tenant hold on this node; 0: no bound.
        tenant_pending_bytes: usize = 134_217_728,
        /// Bytes that the waiting sends of this node hold; 0: no bound.
        node_pending_bytes: usize = 268_435_456,
        /// Bytes that one peer may put into offline queues within a resume window; 0: no bound.
        peer_stored_bytes: usize = 4_194_304,
        /// Bytes that one tenant may put into offline queues from this node within a resume window; 0: no bound.
        tenant_stored_bytes: usize = 33_554_432,
        /// Bytes that this node may put into offline queues within a resume window; 0: no bound.
        node_stored_bytes: usize = 67_108_864,
        /// Open connections of one peer, with those in their handshake; 0: no bound.
        connections_per_peer: usize = 8,
        /// Open connections of one tenant on all nodes; 0: no bound.
        tenant_connections: usize = 0,
        /// Commands per second of all peers of one tenant on this node, four times as many at once; 0: no bound.
        tenant_messages_per_second: u32 = 0,
        /// Commands per second of all clients of one address on this node, four times as many at once; 0: no bound.
        address_messages_per_second: u32 = 0,
        /// Requests with a token per second of one address, four times as many at once; 0: no bound.
        address_requests_per_second: u32 = 0,
        /// How far a token may raise `messages_per_second`; 0: not at all.
        max_messages_per_second: u32 = 0,
        /// How far a token may raise `message_burst`; 0: not at all.
        max_message_burst: u32 = 0,
        /// How far a token may raise `connections_per_peer`; 0: not at all.
        max_connections_per_peer: usize = 0,
        /// How far a token may raise `tenant_connections`; 0: not at all.
        max_tenant_connections: usize = 0,
        /// How far a token may raise `rooms_per_tenant`; 0: not at all.
        max_rooms_per_tenant: usize = 0,
        /// How far a token may raise `tenant_held_bytes`; 0: not at all.
        max_tenant_held_bytes: usize = 0,
        /// Revocations of one tenant that may be in force at the same time.
        revocations_per_tenant: usize = 10_000,
        /// Open connections of one tenant on this node; 0: no bound.
        connections_per_tenant: usize = 0,
        /// Rooms that one peer may be in; 0: no bound.
        rooms_per_peer: usize = 64,
        /// Rooms of one tenant, over all nodes; 0: no bound.
        rooms_per_tenant: usize = 0,
        /// Members of one room.
        room_members: usize = 20_000,
        /// Members of a room above which its members hear how many they are, and not who.
        roster_members: usize = 500,
        /// Milliseconds that a send may be held for a receiver without a session; 0: not at all.
        hold_ms: u64 = 60_000,
        /// Bytes that one tenant may hold so, on all nodes together; 0: no bound.
        tenant_held_bytes: usize = 67_108_864,
        /// Peers that one peer may watch; 0: no bound.
        watched_per_peer: usize = 1_000,
        /// Watches of all connections of this node; 0: no bound.
        watched_per_node: usize = 1_000_000,
        /// Calls of the backend API that one tenant may have under way on this node.
        api_calls_per_tenant: usize = 256,
    }
}

impl LimitsSection {
    /// The bounds of one connection; its times are in `[session]`.
    pub(super) fn check(&self) -> Result<Limits, ConfigError> {
        in_range("limits.message_bytes", self.message_bytes, 1024, 16 << 20)?;
        in_range(
            "limits.messages_per_second",
            self.messages_per_second,
            1,
            1_000_000,
        )?;
        in_range("limits.message_burst", self.message_burst, 1, 1_000_000)?;
        in_range(
            "limits.control_frames_per_second",
            self.control_frames_per_second,
            1,
            1_000_000,
        )?;
        in_range("limits.control_burst", self.control_burst, 1, 1_000_000)?;
        in_range("limits.send_queue_messages", self.send_queue_messages, 1, 1 << 20)?;
        in_range("limits.send_queue_bytes", self.send_queue_bytes, 1024, 1 << 30)?;
        in_range("limits.rooms_per_peer", self.rooms_per_peer, 0, 1024)?;
        in_range("limits.room_members", self.room_members, 1, 1_000_000)?;
        in_range("limits.roster_members", self.roster_members, 1, 10_000)?;
        in_range("limits.pending_messages", self.pending_messages, 1, 1 << 20)?;
        in_range(
            "limits.revocations_per_tenant",
            self.revocations_per_tenant,
            1,
            200_000,
        )?;
        in_range("limits.pending_bytes", self.pending_bytes, 1024, 1 << 30)?;
        in_range("limits.hold_ms", self.hold_ms, 0, 86_400_000)?;
        Ok(Limits {
            message_bytes: self.message_bytes,
            messages_per_second: self.messages_per_second,
            message_burst: self.message_burst,
            send_queue_bytes: self.send_queue_bytes,
            send_queue_messages: self.send_queue_messages,
            pending_messages: self.pending_messages,
            pending_bytes: self.pending_bytes,
            control_frames_per_second: self.control_frames_per_second,
            control_burst: self.control_burst,
            memory_bytes: memory::budget(self.memory_bytes),
            tenant_pending_bytes: self.tenant_pending_bytes,
            node_pending_bytes: self.node_pending_bytes,
            peer_stored_bytes: self.peer_stored_bytes,
            tenant_stored_bytes: self.tenant_stored_bytes,
            node_stored_bytes: self.node_stored_bytes,
            tenant_connections: self.tenant_connections,
            tenant_messages_per_second: self.tenant_messages_per_second,
            address_messages_per_second: self.address_messages_per_second,
            raised: RaisedLimits {
                messages_per_second: self.max_messages_per_second,
                message_burst: self.max_message_burst,
                connections_per_peer: self.max_connections_per_peer,
                tenant_connections: self.max_tenant_connections,
                rooms_per_tenant: self.max_rooms_per_tenant,
                tenant_held_bytes: self.max_tenant_held_bytes,
            },
            revocations_per_tenant: self.revocations_per_tenant,
            connections_per_peer: self.connections_per_peer,
            connections_per_tenant: self.connections_per_tenant,
            rooms_per_peer: self.rooms_per_peer,
            rooms_per_tenant: self.rooms_per_tenant,
            room_members: self.room_members,
            roster_members: self.roster_members,
            hold: Duration::from_millis(self.hold_ms),
            tenant_held_bytes: self.tenant_held_bytes,
            watched_per_peer: self.watched_per_peer,
            watched_per_node: self.watched_per_node,
            ..Limits::default()
        })
    }

    /// The bounds of the public port.
    pub(super) fn check_admission(&self) -> Result<(), ConfigError> {
        in_range("limits.connections", self.connections, 1, 10_000_000)?;
        in_range("limits.handshakes", self.handshakes, 1, 1_000_000)?;
        in_range(
            "limits.api_calls_per_tenant",
            self.api_calls_per_tenant,
            1,
            1_000_000,
        )?;
        in_range(
            "limits.connects_per_second",
            self.connects_per_second,
            1,
            1_000_000,
        )?;
        in_range(
            "limits.peer_connects_per_second",
            self.peer_connects_per_second,
            1,
            1_000_000,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::config::Config;

    const PAGE: &str = include_str!("../../../../docs/limits.md");
    const METRICS: &str = include_str!("../../../../docs/metrics.md");

    #[test]
    fn the_page_of_limits_has_every_key_with_its_default() {
        let config = serde_json::to_value(Config::default()).unwrap();
        let mut missing: BTreeSet<_> = config["limits"].as_object().unwrap().keys().cloned().collect();
        for line in PAGE.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let Some((section, key)) = cells[1].trim_matches('`').split_once('.') else {
                continue;
            };
            let default = &config[section][key];
            let stated = cells[3].split(':').next().unwrap().replace(',', "");
            assert_eq!(stated, default.to_string(), "{line}");
            if section == "limits" {
                assert!(missing.remove(key), "a key of the node, once: {line}");
            }
        }
        assert!(missing.is_empty(), "docs/limits.md lacks {missing:?}");
    }

    #[test]
    fn the_counters_of_the_page_exist() {
        let named = PAGE.split('`').filter(|name| name.starts_with("switchboard_"));
        let named: BTreeSet<_> = named.filter_map(|name| name.split('{').next()).collect();
        assert!(named.len() > 10, "{named:?}");
        for name in named {
            assert!(
                METRICS.contains(&format!("| `{name}` |")),
                "docs/metrics.md lacks {name}"
            );
        }
    }
}
