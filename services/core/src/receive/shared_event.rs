//! An event that several clients get, for example a change of their room: its frame is encoded once. Not the encoding, which is the
//! codec's.

use std::sync::OnceLock;

use switchboard_protocol::{Event, codec::Codec};

/// An event, and its frame as soon as the first client needs it.
#[derive(Debug)]
pub struct SharedEvent {
    event: Event,
    /// With the subprotocol of the codec that has written it.
    frame: OnceLock<(&'static str, Box<[u8]>)>,
}

impl SharedEvent {
    pub(crate) const fn new(event: Event) -> Self {
        Self {
            event,
            frame: OnceLock::new(),
        }
    }

    /// The event itself.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// Appends the frame to `out`. Clients of another codec than the first one get their own frame.
    pub fn write<C: Codec>(&self, codec: &mut C, out: &mut Vec<u8>) {
        let (subprotocol, frame) = self.frame.get_or_init(|| {
            let mut frame = Vec::new();
            codec.write_event(&mut frame, &self.event);
            (C::SUBPROTOCOL, frame.into())
        });
        if *subprotocol == C::SUBPROTOCOL {
            out.extend_from_slice(frame);
        } else {
            codec.write_event(out, &self.event);
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::{Command, CommandError, ErrorCode, codec::MessageHead};

    use super::*;

    /// Writes events as its byte, and counts them.
    #[derive(Default)]
    struct OneByte<const BYTE: u8>(usize);

    impl<const BYTE: u8> Codec for OneByte<BYTE> {
        const SUBPROTOCOL: &'static str = if BYTE == b'a' { "a" } else { "b" };

        fn decode<'a>(&mut self, _: &'a str) -> Result<Command<'a>, CommandError> {
            unreachable!("nothing is read")
        }

        fn too_large(&mut self, _: &[u8]) -> CommandError {
            unreachable!("nothing is read")
        }

        fn write_message(&mut self, _: &mut Vec<u8>, _: &MessageHead<'_>, _: &[u8]) {
            unreachable!("no message is written")
        }

        fn write_delivered(&mut self, _: &mut Vec<u8>, _: u64) {
            unreachable!("no receipt is written")
        }

        fn write_event(&mut self, out: &mut Vec<u8>, _: &Event) {
            self.0 += 1;
            out.push(BYTE);
        }
    }

    #[test]
    fn the_frame_is_encoded_for_the_first_client_and_for_those_of_other_codecs() {
        let event = SharedEvent::new(Event::error(None, ErrorCode::Timeout));
        let mut out = Vec::new();
        let (mut first, mut second, mut other) = (OneByte::<b'a'>(0), OneByte::<b'a'>(0), OneByte::<b'b'>(0));
        event.write(&mut first, &mut out);
        event.write(&mut second, &mut out);
        event.write(&mut other, &mut out);
        assert_eq!((&out[..], first.0, second.0, other.0), (&b"aab"[..], 1, 0, 1));
    }
}
