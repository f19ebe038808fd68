//! Codecs: how commands and events look on a connection. Each codec is a file or folder here; it is pure – no IO, no
//! clock, no decision – and every byte that a client sends meets its decoder first.

pub mod native;

use crate::{
    command::{Command, CommandError},
    event::Event,
    kind::MessageKind,
    mid::Mid,
};

/// What stands before the payload of a forwarded message.
#[derive(Debug, Clone, Copy)]
pub struct MessageHead<'a> {
    /// What it is.
    pub kind: MessageKind,
    /// The sender's peer ID; its alphabet needs no JSON escape.
    pub from: &'a str,
    /// The room that the message was sent to; `None` for a message to the peer. Its alphabet needs no JSON escape.
    pub room: Option<&'a str>,
    /// The message's name.
    pub mid: Mid,
    /// Its number in the receiver's session.
    pub seq: u64,
}

/// The form of one connection's frames.
///
/// A codec may keep state between frames, so each connection has its own.
pub trait Codec: Default + Send + 'static {
    /// The WebSocket subprotocol by which a client asks for this codec (RFC 6455, section 1.9).
    const SUBPROTOCOL: &'static str;

    /// Reads one text frame of a client.
    ///
    /// # Errors
    /// [`CommandError`] when the frame is not a command; it becomes the answer to the client.
    fn decode<'a>(&mut self, text: &'a str) -> Result<Command<'a>, CommandError>;

    /// The answer to a text frame over the limit in bytes. `prefix` is its beginning: [`MAX_HEAD_BYTES`] are enough.
    /// The prefix may end inside of a character.
    ///
    /// [`MAX_HEAD_BYTES`]: crate::MAX_HEAD_BYTES
    fn too_large(&mut self, prefix: &[u8]) -> CommandError;

    /// Appends the frame of another peer's message to `out`. `payload` is a valid JSON value and must not be altered.
    fn write_message(&mut self, out: &mut Vec<u8>, head: &MessageHead<'_>, payload: &[u8]);

    /// Appends the frame that says `delivered` for the send with this `id` to `out`.
    fn write_delivered(&mut self, out: &mut Vec<u8>, id: u64);

    /// Appends the frame of an event of the node to `out`. It depends on the event alone: an event for several clients is
    /// encoded once.
    fn write_event(&mut self, out: &mut Vec<u8>, event: &Event);
}
