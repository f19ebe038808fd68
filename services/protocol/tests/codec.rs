//! What every codec owes its connection: commands are read, and what the node writes is what a client of the codec reads.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use switchboard_protocol::{
    Codec, Command, Event, MessageHead, MessageId, MessageKind, Mid, ReceiptStatus, ServerFrame, SessionId,
    codec::native::Native, decode_event,
};

/// Reads one frame that was appended to something.
fn read(write: impl FnOnce(&mut Vec<u8>)) -> ServerFrame {
    let mut out = b"before".to_vec();
    write(&mut out);
    let text = String::from_utf8(out).unwrap();
    decode_event(text.strip_prefix("before").unwrap()).unwrap()
}

#[test]
fn the_native_codec_writes_what_its_client_reads() {
    let mut codec = Native;
    let head = MessageHead {
        kind: MessageKind::Answer,
        from: "alice",
        room: None,
        mid: Mid {
            session: SessionId::from_bytes([1; 12]),
            id: MessageId::Client(2),
        },
        seq: 3,
    };
    let ServerFrame::Message(message) = read(|out| codec.write_message(out, &head, b"[4]")) else {
        panic!("a message was written")
    };
    assert_eq!(
        (message.kind, message.seq, message.payload.get()),
        (MessageKind::Answer, 3, "[4]")
    );
    let delivered = Event::Receipt {
        id: 5,
        status: ReceiptStatus::Delivered,
    };
    assert!(
        matches!(read(|out| codec.write_delivered(out, 5)), ServerFrame::Event(event) if event == delivered)
    );
    let expiring = Event::Expiring { expires_at: 6 };
    assert!(
        matches!(read(|out| codec.write_event(out, &expiring)), ServerFrame::Event(event) if event == expiring)
    );
}

#[test]
fn the_native_codec_reads_commands() {
    let ping = Native.decode(r#"{"type":"ping","id":7}"#);
    assert!(matches!(ping, Ok(Command::Ping { id: Some(7) })));
    assert!(Native.decode("[]").is_err());
}
