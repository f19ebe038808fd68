//! The codec of Switchboard's own protocol: one JSON object per text frame (protocol.md). `decode` is the node's
//! reading side with `fields`, `head` and `number`, `encode` its writing side, `client` both sides of a Rust client.

mod client;
mod decode;
mod encode;
mod fields;
mod head;
mod number;

pub use client::{FrameError, ServerFrame, ServerMessage, decode_event, encode_command};
pub use decode::{decode_command, too_large};
pub use encode::{write_delivered, write_message};

use crate::{
    codec::{Codec, MessageHead},
    command::{Command, CommandError},
    event::Event,
    limits::SUBPROTOCOL,
};

/// The native codec. It keeps no state.
#[derive(Debug, Default, Clone, Copy)]
pub struct Native;

impl Codec for Native {
    const SUBPROTOCOL: &'static str = SUBPROTOCOL;

    fn decode<'a>(&mut self, text: &'a str) -> Result<Command<'a>, CommandError> {
        decode_command(text)
    }

    fn too_large(&mut self, prefix: &[u8]) -> CommandError {
        too_large(prefix)
    }

    fn write_message(&mut self, out: &mut Vec<u8>, head: &MessageHead<'_>, payload: &[u8]) {
        write_message(out, head, payload);
    }

    fn write_delivered(&mut self, out: &mut Vec<u8>, id: u64) {
        write_delivered(out, id);
    }

    fn write_event(&mut self, out: &mut Vec<u8>, event: &Event) {
        out.extend_from_slice(event.to_json().as_bytes());
    }
}
