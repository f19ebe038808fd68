//! What a client's bytes amount to, and why reading them cannot go on. Not how they are read (`reader`).

use bytes::Bytes;

use crate::connection::frame::Text;

/// What the bytes of a client amount to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Text(Text),
    Binary(Bytes),
    /// A text message over the limit was skipped; this is its beginning.
    Oversized(Vec<u8>),
    /// A frame that completes no message, with the bytes of its payload.
    Fragment(u64),
    Ping(Vec<u8>),
    Pong,
    Close(Vec<u8>),
}

/// Why reading cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadError {
    /// A frame is not as RFC 6455 wants it.
    Protocol,
    /// A message is too long to be skipped.
    TooLarge,
    /// A text is not UTF-8.
    Utf8,
}
