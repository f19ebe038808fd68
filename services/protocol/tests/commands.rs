//! Valid commands, and the errors for invalid ones.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;
use switchboard_protocol::{
    Codec as _, Command, ErrorCode, MAX_HEAD_BYTES, MAX_INFO_BYTES, MAX_PEERS_PER_COMMAND, MessageKind,
    SendCommand, SendTarget, codec::native::Native, decode_command, encode_command,
};

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
        (send.kind, send.to, send.id),
        (MessageKind::Offer, SendTarget::Peer("bob".into()), Some(7))
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
}

#[test]
fn the_fault_of_a_frame_is_said_in_words() {
    let message = |text: &str| decode_command(text).unwrap_err().message;
    assert_eq!(
        message(r#"{"type":"teleport"}"#),
        "there is no command of type `teleport`"
    );
    assert_eq!(
        message(r#"{"type":"join","info":{}}"#),
        "the field `room` is missing"
    );
    assert_eq!(
        message(r#"{"type":"offer","to":"bob","room":"r","payload":1}"#),
        "`to` and `room` exclude each other"
    );
    let peers = vec!["bob"; MAX_PEERS_PER_COMMAND + 23];
    assert_eq!(
        message(&serde_json::json!({ "type": "watch", "peers": peers }).to_string()),
        "`peers` has 123 entries; at most 100 are allowed"
    );
}

#[test]
fn an_answer_repeats_at_most_64_printable_characters_of_a_frame() {
    let message = |name: &str| {
        let text = serde_json::json!({ "type": name }).to_string();
        decode_command(&text).unwrap_err().message
    };
    let expected = format!("there is no command of type `{}…`", "é".repeat(64));
    assert_eq!(message(&"é".repeat(60_000)), expected);
    assert_eq!(
        message("a\u{200b}\nb"),
        "there is no command of type `a\u{fffd}\u{fffd}b`"
    );
    let invisible = "\u{200b}".repeat(20_000);
    for text in [
        format!(r#"{{"type":"ping","id":"{invisible}"}}"#),
        format!(r#"{{"type":["{invisible}"]}}"#),
        format!(r#"{{"type":"ack","seq":"{invisible}"}}"#),
        format!(r#"{{"type":"ack","seq":1,"late":"{invisible}"}}"#),
        format!(r#"{{"type":"offer","to":["{invisible}"],"payload":1}}"#),
        format!(r#"{{"type":"offer","to":"bob","hold_ms":"{invisible}","payload":1}}"#),
        format!(r#"{{"type":"join","room":"r","info":"{invisible}"}}"#),
        format!(r#"{{"type":"lookup","peers":["bob",["{invisible}"]]}}"#),
        format!(r#"{{"type":"{invisible}","type":1}}"#),
        format!(r#"{{"type":"ping" "{invisible}"}}"#),
        format!("\"{invisible}\""),
        format!("{{{invisible}"),
    ] {
        let message = decode_command(&text).unwrap_err().message;
        assert!(message.chars().count() <= 64 + 64, "{message}");
    }
}

#[test]
fn a_number_means_the_same_however_it_is_written() {
    for one in ["1", "1.0", "1e0", "10E-1", "0.1e+1"] {
        let ping = format!(r#"{{"type":"ping","id":{one}}}"#);
        assert!(
            matches!(decode_command(&ping), Ok(Command::Ping { id: Some(1) })),
            "{one}"
        );
        let ack = format!(r#"{{"type":"ack","seq":{one}}}"#);
        assert!(
            matches!(decode_command(&ack), Ok(Command::Ack { seq: 1, late: false })),
            "{one}"
        );
        let send = format!(r#"{{"type":"message","id":{one},"to":"bob","payload":1}}"#);
        assert!(matches!(decode_command(&send), Ok(Command::Send(send)) if send.id == Some(1)));
        assert_eq!(
            refused(&format!(r#"{{"type":"renew","id":{one}}}"#)),
            (ErrorCode::MissingField, Some(1))
        );
    }
    for none in [
        "0",
        "0.0",
        "-1",
        "1.5",
        "18446744073709551616",
        "1e20",
        "\"1\"",
        "true",
        "[1]",
    ] {
        let ping = format!(r#"{{"type":"ping","id":{none}}}"#);
        assert_eq!(refused(&ping), (ErrorCode::BadFrame, None), "{none}");
    }
}

#[test]
fn a_frame_that_is_no_object_is_bad() {
    for text in [
        r#"["ping"]"#,
        r#"["message",1,null,false,"bob",null,5]"#,
        "[1]",
        "[]",
        "\"ping\"",
        "1",
        "true",
        "null",
        " [1]",
        "",
        "\u{feff}{\"type\":\"ping\"}",
    ] {
        assert_eq!(refused(text), (ErrorCode::BadFrame, None), "{text}");
    }
    assert!(decode_command("\r\n\t {\"type\":\"ping\"} ").is_ok());
}

#[test]
fn an_unknown_type_is_unknown_whatever_its_other_members_are() {
    for text in [
        r#"{"type":"watch-x","id":9}"#,
        r#"{"id":9,"to":["bob"],"payload":1,"seq":"x","late":0,"token":{},"type":"watch-x"}"#,
        r#"{"type":"watch-x","peers":["bob"],"id":9.0}"#,
        r#"{"type":"","id":9}"#,
        r#"{"type":"PING","id":9}"#,
    ] {
        assert_eq!(refused(text), (ErrorCode::UnknownType, Some(9)), "{text}");
    }
    assert_eq!(
        refused(r#"{"type":"watch-x","id":"nine"}"#),
        (ErrorCode::UnknownType, None)
    );
    let ping = decode_command(r#"{"type":"ping","to":7,"seq":"x","token":[]}"#);
    assert!(
        matches!(ping, Ok(Command::Ping { id: None })),
        "members of other commands"
    );
}

#[test]
fn a_bad_frame_keeps_its_id_wherever_its_head_can_be_read() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for text in [
        r#"{"type":"offer","id":4,"to":"#.to_owned(),
        r#"{"type":"offer","id":4,"payload":{"a":1}} trailing"#.to_owned(),
        r#"{"type":"offer","id":4,"to":"a","to":"b","payload":1}"#.to_owned(),
        r#"{"type":7,"id":4}"#.to_owned(),
        format!(r#"{{"type":"offer","id":4,"to":"bob","payload":{deep}}}"#),
    ] {
        assert_eq!(refused(&text), (ErrorCode::BadFrame, Some(4)), "{text}");
    }
}

#[test]
fn the_answer_to_a_frame_over_the_limit_has_the_id_of_its_beginning() {
    let text = format!(
        r#"{{"type":"offer","to":"bob","id":3,"payload":"{}"}}"#,
        "é".repeat(40_000)
    );
    for cut in [MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1] {
        let error = Native.too_large(&text.as_bytes()[..cut]);
        assert_eq!((error.code, error.id), (ErrorCode::PayloadTooLarge, Some(3)));
    }
    let last = format!(r#"{{"payload":"{}","id":3}}"#, "x".repeat(70_000));
    assert_eq!(Native.too_large(&last.as_bytes()[..MAX_HEAD_BYTES]).id, None);
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
fn a_message_is_for_a_peer_or_for_a_room() {
    let Ok(Command::Send(send)) = decode_command(r#"{"type":"offer","room":"lobby","payload":1}"#) else {
        panic!("an offer is a send")
    };
    assert_eq!(send.to, SendTarget::Room("lobby".into()));
    let text = r#"{"type":"offer","to":"bob","room":null,"hold_ms":6e4,"payload":1}"#;
    let Ok(Command::Send(send)) = decode_command(text) else {
        panic!("an offer is a send")
    };
    assert_eq!(
        (send.to, send.hold_ms),
        (SendTarget::Peer("bob".into()), Some(60_000))
    );
    for (members, code) in [
        (r#""to":"bob","room":"lobby""#, ErrorCode::BadFrame),
        (r#""to":"","room":"lobby""#, ErrorCode::BadFrame),
        (r#""room":"""#, ErrorCode::MissingField),
        (r#""room":7"#, ErrorCode::BadFrame),
        (r#""room":"lobby","hold_ms":1"#, ErrorCode::BadFrame),
        (r#""to":"bob","hold_ms":"1""#, ErrorCode::BadFrame),
        (r#""to":"bob","hold_ms":-1"#, ErrorCode::BadFrame),
        (r#""to":"bob","hold_ms":0.5"#, ErrorCode::BadFrame),
        (r#""x":1"#, ErrorCode::MissingField),
    ] {
        let text = format!(r#"{{"type":"offer","id":5,{members},"payload":1}}"#);
        assert_eq!(refused(&text), (code, Some(5)), "{text}");
    }
    let text = r#"{"type":"offer","room":"lobby","hold_ms":0,"payload":1}"#;
    assert!(
        matches!(decode_command(text), Ok(Command::Send(send)) if send.hold_ms.is_none()),
        "no time to wait is no hold"
    );
}

#[test]
fn a_join_has_a_room_and_an_info_that_is_an_object_within_the_limit() {
    let info = format!(r#"{{"name": "{}"}}"#, "x".repeat(MAX_INFO_BYTES - 12));
    assert_eq!(info.len(), MAX_INFO_BYTES);
    let text = format!(r#"{{"type":"join","room":"lobby","info":{info},"id":2}}"#);
    let Ok(Command::Join(join)) = decode_command(&text) else {
        panic!("a join")
    };
    assert_eq!((join.room.as_ref(), join.id), ("lobby", Some(2)));
    assert_eq!(join.info.unwrap().get(), info);
    assert_eq!(
        refused(&text.replace("{\"name", "{ \"name")),
        (ErrorCode::BadFrame, Some(2))
    );
    for info in ["[]", "\"x\"", "1", "true"] {
        let text = format!(r#"{{"type":"join","room":"lobby","info":{info}}}"#);
        assert_eq!(refused(&text), (ErrorCode::BadFrame, None), "{info}");
    }
    let leave = decode_command(r#"{"type":"leave","room":"lobby","id":3}"#);
    assert!(matches!(leave, Ok(Command::Leave { room, id: Some(3) }) if room == "lobby"));
    assert_eq!(refused(r#"{"type":"leave"}"#), (ErrorCode::MissingField, None));
}

#[test]
fn presence_commands_name_up_to_100_peers() {
    let text = |kind: &str, count: usize| {
        let peers: Vec<String> = (0..count).map(|peer| format!("p{peer}")).collect();
        serde_json::json!({ "type": kind, "peers": peers, "id": 6 }).to_string()
    };
    for kind in ["lookup", "watch", "unwatch"] {
        for count in [0, 1, MAX_PEERS_PER_COMMAND] {
            let text = text(kind, count);
            let (Command::Lookup { peers, id }
            | Command::Watch { peers, id }
            | Command::Unwatch { peers, id }) = decode_command(&text).unwrap()
            else {
                panic!("{kind} has peers")
            };
            assert_eq!((peers.len(), id), (count, Some(6)));
            assert!(
                peers
                    .iter()
                    .enumerate()
                    .all(|(at, peer)| *peer == format!("p{at}"))
            );
        }
        for count in [MAX_PEERS_PER_COMMAND + 1, 5_000] {
            assert_eq!(refused(&text(kind, count)), (ErrorCode::BadFrame, Some(6)));
        }
        for peers in ["7", "\"bob\"", "{}", "[1]", "[\"bob\",null]"] {
            let text = format!(r#"{{"type":"{kind}","peers":{peers},"id":6}}"#);
            assert_eq!(refused(&text), (ErrorCode::BadFrame, Some(6)), "{text}");
        }
        let text = format!(r#"{{"type":"{kind}","id":6}}"#);
        assert_eq!(refused(&text), (ErrorCode::MissingField, Some(6)));
    }
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
    let send = Command::Send(SendCommand {
        kind: MessageKind::Candidate,
        to: SendTarget::Peer("bob".into()),
        payload: &payload,
        id: Some(2),
        hold_ms: None,
    });
    assert_eq!(
        encode_command(&send),
        r#"{"type":"candidate","to":"bob","id":2,"payload":[1, 2]}"#
    );
    for text in [
        r#"{"type":"message","room":"lobby","payload":null}"#,
        r#"{"type":"message","to":"bob","id":2,"hold_ms":60000,"payload":[1, 2]}"#,
        r#"{"type":"join","room":"lobby","id":2,"info":{"name": "Bob"}}"#,
        r#"{"type":"leave","room":"lobby"}"#,
        r#"{"type":"lookup","peers":["a","b"],"id":2}"#,
        r#"{"type":"watch","peers":[]}"#,
        r#"{"type":"unwatch","peers":["a"],"id":2}"#,
        r#"{"type":"ice","id":2}"#,
        r#"{"type":"renew","token":"a.b.c","id":2}"#,
        r#"{"type":"ack","seq":2,"late":true}"#,
        r#"{"type":"ack","seq":2}"#,
        r#"{"type":"ping"}"#,
    ] {
        assert_eq!(encode_command(&decode_command(text).unwrap()), text);
    }
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
