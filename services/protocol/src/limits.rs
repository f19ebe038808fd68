//! Bounds of the protocol, the same on every node. Not here: configurable bounds (crate `node`).

/// The WebSocket subprotocol of this version (docs/protocol.md, "Handshake").
pub const SUBPROTOCOL: &str = "switchboard.v1";

/// The most patterns in one claim `switchboard.send` or `switchboard.rooms`.
pub const MAX_PATTERNS: usize = 64;

/// The largest `info` of a member, in bytes of JSON: in the claim `switchboard.info` and in `join`.
pub const MAX_INFO_BYTES: usize = 1024;

/// The deepest nesting of objects and arrays in a frame, payload included. Nodes do not parse payloads. The bound
/// protects the *receiver*, whose JSON parser may recurse.
pub const MAX_FRAME_DEPTH: usize = 128;

/// The first bytes of a frame over the limit that are kept to read its `id`. The members before the payload have at
/// most about a third of that.
pub const MAX_HEAD_BYTES: usize = 1024;

/// The peer ID in `from` of messages that come from the backend API. No client can have it.
pub const BACKEND_PEER: &str = "@backend";

/// The most peers in one `lookup`, `watch` or `unwatch`.
pub const MAX_PEERS_PER_COMMAND: usize = 100;
