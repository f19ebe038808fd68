//! Valid commands, and the errors for invalid ones.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;
use switchboard_protocol::{Command, ErrorCode, MessageKind, decode_command, encode_send};

fn refused(text: &str) -> (ErrorCode, Option<u64>) {
    let error = decode_command(text).unwrap_err();
    (error.code, error.id)
}

#[test]
fn a_payload_has_exactly_the_bytes_of_the_frame() {
    let payload =
        "{ \"a\" :1.000,\"a\":1e999,\"big\":123456789012345678901234567890, \"s\":\"\\u0041\\/\\n\" }";
    let text = format!("{{\"type\":\"offer\",\"to\":\"bob\",\"id\":7,\"payload\": {payload} }}");
    let Command::Send(send) = decode_command(&text).unwrap() else {
        panic!("an offer is a send")
    };
    assert_eq!(
        (send.kind, send.to.as_ref(), send.id),
        (MessageKind::Offer, "bob", Some(7))
    );
    assert_eq!(send.payload.get(), payload);
}

#[test]
fn null_is_a_payload_and_an_absent_one_is_not() {
    assert!(decode_command(r#"{"type":"message","to":"bob","payload":null}"#).is_ok());
    assert_eq!(
        refused(r#"{"type":"message","to":"bob","id":3}"#),
        (ErrorCode::MissingField, Some(3))
    );
}

#[test]
fn bad_frames_get_a_code_and_their_id_if_it_is_readable() {
    assert_eq!(refused(""), (ErrorCode::BadFrame, None));
    assert_eq!(
        refused("{\"type\":\"offer\",\"to\":"),
        (ErrorCode::BadFrame, None)
    );
    assert_eq!(refused("[1,2]").0, ErrorCode::BadFrame);
    assert_eq!(refused("\"offer\"").0, ErrorCode::BadFrame);
    assert_eq!(refused("{}"), (ErrorCode::MissingField, None));
    assert_eq!(
        refused(r#"{"type":"offer","payload":1,"id":4}"#),
        (ErrorCode::MissingField, Some(4))
    );
    assert_eq!(
        refused(r#"{"type":"offer","to":7,"payload":1,"id":4}"#),
        (ErrorCode::BadFrame, Some(4))
    );
    assert_eq!(
        refused(r#"{"type":"ping","id":"x"}"#),
        (ErrorCode::BadFrame, None)
    );
    assert_eq!(refused(r#"{"type":"ping","id":0}"#), (ErrorCode::BadFrame, None));
    assert_eq!(refused(r#"{"type":"ping","id":-1}"#), (ErrorCode::BadFrame, None));
    assert_eq!(
        refused(r#"{"type":"renew","id":9}"#),
        (ErrorCode::MissingField, Some(9))
    );
    assert_eq!(
        refused(r#"{"type":"teleport","id":9}"#),
        (ErrorCode::UnknownType, Some(9))
    );
    assert_eq!(
        refused(r#"{"type":"join","room":"r","id":9}"#),
        (ErrorCode::UnknownType, Some(9))
    );
    assert_eq!(
        refused(r#"{"type":"offer","room":"r","payload":1}"#).0,
        ErrorCode::UnknownType
    );
}

#[test]
fn the_fault_of_a_frame_is_said_in_words() {
    let message = |text: &str| decode_command(text).unwrap_err().message;
    assert_eq!(
        message(r#"{"type":"teleport"}"#),
        "there is no command of type `teleport`"
    );
    assert_eq!(
        message(r#"{"type":"join"}"#),
        "`join` is not served by this version"
    );
    assert_eq!(
        message(r#"{"type":"offer","room":"r","payload":1}"#),
        "messages to a `room` are not served by this version; use `to`"
    );
    let long = "x".repeat(100);
    assert!(
        message(&format!(r#"{{"type":"{long}"}}"#)).len() < 80,
        "a long name is cut"
    );
}

#[test]
fn an_id_below_one_is_never_echoed() {
    assert_eq!(refused(r#"{"type":7,"id":0}"#), (ErrorCode::BadFrame, None));
    assert_eq!(refused(r#"{"type":7,"id":1}"#), (ErrorCode::BadFrame, Some(1)));
}

#[test]
fn each_command_is_read_with_its_fields() {
    let renew = decode_command(r#"{"type":"renew","token":"a.b.c","id":2}"#).unwrap();
    assert!(matches!(renew, Command::Renew { token, id: Some(2) } if token == "a.b.c"));
    assert!(matches!(
        decode_command(r#"{"type":"ice"}"#),
        Ok(Command::Ice { id: None })
    ));
    let ack = decode_command(r#"{"type":"ack","seq":9,"late":true}"#);
    assert!(matches!(ack, Ok(Command::Ack { seq: 9, late: true })));
    let ack = decode_command(r#"{"type":"ack","seq":0}"#);
    assert!(matches!(ack, Ok(Command::Ack { seq: 0, late: false })));
    assert_eq!(
        refused(r#"{"type":"ack","id":5}"#),
        (ErrorCode::MissingField, Some(5))
    );
}

#[test]
fn a_frame_nested_too_deep_is_refused_before_it_is_parsed() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let text = format!(r#"{{"type":"offer","to":"bob","payload":{deep}}}"#);
    assert_eq!(refused(&text).0, ErrorCode::BadFrame);
}

#[test]
fn unknown_fields_are_ignored() {
    let text = r#"{"type":"ping","id":1,"colour":{"deep":[1,2]}}"#;
    assert!(matches!(decode_command(text), Ok(Command::Ping { id: Some(1) })));
}

#[test]
fn a_node_decodes_the_encoding_of_a_client() {
    let payload = serde_json::value::RawValue::from_string("[1, 2]".into()).unwrap();
    let text = encode_send(MessageKind::Candidate, "bob", Some(2), &payload);
    assert_eq!(text, r#"{"type":"candidate","to":"bob","id":2,"payload":[1, 2]}"#);
    assert!(matches!(decode_command(&text), Ok(Command::Send(send)) if send.id == Some(2)));
}

proptest! {
    #[test]
    fn no_text_panics_the_decoder(text in "\\PC{0,200}") {
        let _ = decode_command(&text);
    }

    #[test]
    fn a_truncated_frame_is_refused(cut in 0..60_usize) {
        let text = r#"{"type":"offer","to":"bob","id":1,"payload":{"sdp":"v=0 …"}}"#;
        prop_assume!(text.is_char_boundary(cut));
        prop_assert!(decode_command(&text[..cut]).is_err());
    }
}
