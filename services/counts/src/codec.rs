//! The wire format alone: one offer of 1.2 KiB, as a client's frame and between nodes.

use std::hint::black_box;

use switchboard_protocol::{
    Codec as _, Envelope, MessageHead, MessageId, MessageKind, Mid, SessionId, codec::native::Native,
    decode_command, decode_event, encode_command,
};

/// Bytes of a session description.
const PAYLOAD_BYTES: usize = 1_200;

/// A session description as a JSON value.
pub(crate) fn payload() -> String {
    let line = "a=candidate:1 1 udp 2122260223 192.168.1.7 50000 typ host generation 0\\r\\n";
    let mut text = line.repeat(PAYLOAD_BYTES / line.len());
    text.insert_str(0, "{\"sdp\":\"");
    text.push_str("\"}");
    text
}

/// The frame of an offer to `to`.
pub(crate) fn frame(to: &str, id: u64, payload: &str) -> String {
    let mut text = String::with_capacity(payload.len() + 64);
    text.push_str("{\"type\":\"offer\",\"to\":\"");
    text.push_str(to);
    text.push_str("\",\"id\":");
    text.push_str(&id.to_string());
    text.push_str(",\"payload\":");
    text.push_str(payload);
    text.push('}');
    text
}

const MID: Mid = Mid {
    session: SessionId::from_bytes([7; SessionId::BYTES]),
    id: MessageId::Client(7),
};

/// Reads a client's frame.
pub(crate) fn decode(times: u64) {
    let frame = frame("bob", 7, &payload());
    for _ in 0..times {
        let command = Native.decode(black_box(&frame));
        assert!(black_box(command).is_ok(), "the frame is a command");
    }
}

/// The frame of a message.
fn write(out: &mut Vec<u8>, seq: u64, payload: &str) {
    let head = MessageHead {
        kind: MessageKind::Offer,
        from: "alice",
        room: None,
        mid: MID,
        seq,
    };
    out.clear();
    Native.write_message(black_box(out), black_box(&head), payload.as_bytes());
}

/// Writes the frame of a message.
pub(crate) fn encode(times: u64) {
    let payload = payload();
    let mut out = Vec::new();
    for seq in 0..times {
        write(&mut out, seq, &payload);
    }
}

/// Writes a command as a client does.
#[allow(clippy::expect_used, reason = "the frame is a command")]
pub(crate) fn client_encode(times: u64) {
    let frame = frame("bob", 7, &payload());
    let command = decode_command(&frame).expect("a command");
    for _ in 0..times {
        black_box(encode_command(black_box(&command)));
    }
}

/// Reads a message as a client does.
#[allow(clippy::expect_used, reason = "a node writes text")]
pub(crate) fn client_decode(times: u64) {
    let mut out = Vec::new();
    write(&mut out, 7, &payload());
    let text = String::from_utf8(out).expect("text");
    for _ in 0..times {
        assert!(
            black_box(decode_event(black_box(&text))).is_ok(),
            "the frame is a message"
        );
    }
}

/// Writes what goes to the other node, and reads it there.
pub(crate) fn envelope(times: u64) {
    let payload = payload();
    for id in 1..=times {
        let envelope = Envelope {
            kind: MessageKind::Offer,
            mid: MID,
            prev: Some(id),
            trace: None,
            origin: "n1",
            from: "default/alice",
            payload: &payload,
        };
        let bytes = black_box(envelope.encode());
        assert!(
            black_box(Envelope::decode(&bytes)).is_ok(),
            "what a node writes it reads"
        );
    }
}
