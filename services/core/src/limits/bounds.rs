//! The bounds of one node, each with its unit in its name. An operator sets them under `[limits]` and
//! `[session]`. Not the bounds of the protocol itself (`switchboard_protocol`).

use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// How far the claim `switchboard.limits` may raise a bound; 0: not above the bound itself. A claim may always lower one.
#[derive(Debug, Clone, Copy, Default)]
pub struct RaisedLimits {
    /// For [`Limits::messages_per_second`].
    pub messages_per_second: u32,
    /// For [`Limits::message_burst`].
    pub message_burst: u32,
    /// For [`Limits::connections_per_peer`].
    pub connections_per_peer: usize,
    /// For [`Limits::tenant_connections`].
    pub tenant_connections: usize,
    /// For [`Limits::rooms_per_tenant`].
    pub rooms_per_tenant: usize,
    /// For [`Limits::tenant_held_bytes`].
    pub tenant_held_bytes: usize,
}

/// Every bound that `core` keeps.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest frame of a client, in bytes.
    pub message_bytes: usize,
    /// Messages in one receiver's send queue.
    pub send_queue_messages: usize,
    /// Payload bytes in one receiver's send queue.
    pub send_queue_bytes: usize,
    /// Sends of one connection without an outcome, above which it is not read. One peer may have twice as many,
    /// over all its sessions and with those in offline queues.
    pub pending_messages: usize,
    /// Payload bytes of those sends.
    pub pending_bytes: usize,
    /// Resident memory of the node in bytes, above which it refuses connections and gives up sends; 0: no bound.
    pub memory_bytes: u64,
    /// Bytes that all pending sends of one tenant hold on this node; 0: no bound.
    pub tenant_pending_bytes: usize,
    /// Bytes that all pending sends of this node hold; 0: no bound.
    pub node_pending_bytes: usize,
    /// Bytes that one peer may put into offline queues within one resume window; 0: no bound.
    pub peer_stored_bytes: usize,
    /// Bytes that one tenant may put into offline queues from this node within one resume window; 0: no bound.
    pub tenant_stored_bytes: usize,
    /// Bytes that this node may put into offline queues within one resume window; 0: no bound.
    pub node_stored_bytes: usize,
    /// Open connections of one peer, with those in their handshake; 0: no bound.
    pub connections_per_peer: usize,
    /// Open connections of one tenant on this node; 0: no bound.
    pub connections_per_tenant: usize,
    /// Open connections of one tenant on all nodes, as far as they know of each other; 0: no bound.
    pub tenant_connections: usize,
    /// Commands a second of all peers of one tenant on this node, and four times as many at once; 0: no bound.
    pub tenant_messages_per_second: u32,
    /// Commands a second of all clients of one address, and four times as many at once; 0: no bound.
    pub address_messages_per_second: u32,
    /// How far tokens may raise bounds.
    pub raised: RaisedLimits,
    /// Revocations of one tenant that may be in force at the same time.
    pub revocations_per_tenant: usize,
    /// Bytes that one tenant may hold for receivers without a session, on all nodes together; 0: no bound.
    pub tenant_held_bytes: usize,
    /// Peers that one peer may watch; 0: no bound.
    pub watched_per_peer: usize,
    /// Watches of all connections of this node; 0: no bound.
    pub watched_per_node: usize,
    /// Senders whose order one receiver keeps track of.
    pub senders_per_receiver: usize,
    /// Rooms that one session may be in; 0: no bound.
    pub rooms_per_peer: usize,
    /// Rooms of one tenant, over all nodes; 0: no bound.
    pub rooms_per_tenant: usize,
    /// Members of one room.
    pub room_members: usize,
    /// Members of a room above which it is large: its members hear how many they are, and not who.
    pub roster_members: usize,
    /// Commands a second that one peer may send in the long run, over all its sessions on this node.
    pub messages_per_second: u32,
    /// Commands that one peer may send at once.
    pub message_burst: u32,
    /// Frames a second beyond those commands that one peer may send in the long run: pings, pongs, empty
    /// fragments, acknowledgements that acknowledge nothing.
    pub control_frames_per_second: u32,
    /// Such frames that one peer may send at once.
    pub control_burst: u32,
    /// Refusals over the rate after which the connection is closed (4429).
    pub rate_strikes: u32,
    /// Bad frames in a row after which the connection is closed (4400).
    pub bad_frames_in_a_row: u32,
    /// How long a send may wait for its outcome.
    pub send_deadline: Duration,
    /// How long a send may be held for a receiver without a session; zero: not at all.
    pub hold: Duration,
    /// How long a detached session can be resumed; zero: not at all.
    pub resume_window: Duration,
    /// How long the session of a page that went away (close code 1001) can be resumed, at most `resume_window`.
    pub away_window: Duration,
    /// How often a node pings its clients.
    pub heartbeat: Duration,
    /// How long a receiver's queue may make no progress before the connection is closed (4508).
    pub write_stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            send_queue_messages: 1024,
            send_queue_bytes: 256 * 1024,
            pending_messages: 4096,
            pending_bytes: 1024 * 1024,
            memory_bytes: 0,
            tenant_pending_bytes: 128 * MIB,
            node_pending_bytes: 256 * MIB,
            peer_stored_bytes: 4 * MIB,
            tenant_stored_bytes: 32 * MIB,
            node_stored_bytes: 64 * MIB,
            connections_per_peer: 8,
            connections_per_tenant: 0,
            tenant_connections: 0,
            tenant_messages_per_second: 0,
            address_messages_per_second: 0,
            raised: RaisedLimits::default(),
            revocations_per_tenant: 10_000,
            tenant_held_bytes: 64 * MIB,
            watched_per_peer: 1000,
            watched_per_node: 1_000_000,
            senders_per_receiver: 4096,
            rooms_per_peer: 64,
            rooms_per_tenant: 0,
            room_members: 20_000,
            roster_members: 500,
            messages_per_second: 1000,
            message_burst: 4000,
            control_frames_per_second: 100,
            control_burst: 400,
            rate_strikes: 100,
            bad_frames_in_a_row: 10,
            send_deadline: Duration::from_secs(5),
            hold: Duration::from_secs(60),
            resume_window: Duration::from_secs(60),
            away_window: Duration::from_secs(5),
            heartbeat: Duration::from_secs(25),
            write_stall: Duration::from_secs(10),
        }
    }
}
