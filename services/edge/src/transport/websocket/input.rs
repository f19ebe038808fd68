//! What a client's bytes amount to, and why reading them cannot go on. Not how they are read (`reader`).

use bytes::Bytes;

/// What the bytes of a client amount to. Public for the fuzz targets.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A text message over the limit was skipped; this is its beginning.
    Oversized(Vec<u8>),
    /// A frame that completes no message, with the bytes of its payload.
    Fragment(u64),
    /// A ping with this payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// A close frame with this payload.
    Close(Vec<u8>),
}

/// Why reading cannot go on. Public for the fuzz targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadError {
    /// A frame is not as RFC 6455 wants it.
    Protocol,
    /// A message is too long to be skipped.
    TooLarge,
    /// A text is not UTF-8.
    Utf8,
}
