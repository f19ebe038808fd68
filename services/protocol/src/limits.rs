//! Bounds that are part of the protocol itself, the same on every node. Bounds an operator may set are
//! configuration (crate `node`), not here.

/// The WebSocket subprotocol of this version (protocol.md, section 2).
pub const SUBPROTOCOL: &str = "switchboard.v1";

/// The most patterns one `switchboard.send` or `switchboard.rooms` claim may list.
pub const MAX_PATTERNS: usize = 64;

/// The largest `switchboard.info` claim, in bytes of JSON.
pub const MAX_INFO_BYTES: usize = 1024;

/// How deep objects and arrays of a frame may nest, payload included. Payloads are forwarded unparsed, so
/// the bound protects the *receiver*, whose JSON parser may recurse.
pub const MAX_FRAME_DEPTH: usize = 128;
