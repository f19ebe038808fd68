//! The command gate: the effect of each command, the refusals, and when a client was refused too often.

use std::time::Duration;

use switchboard_protocol::{
    CloseCode, DuplicatePolicy, ErrorCode, Event, Grant, Info, MessageId, Patterns, Role, decode_command,
};

use super::harness::{account_with, key};
use crate::{CommandEffect, CommandGate, Limits};

const EXPIRES_AT: u64 = 1_000;

fn grant(name: &str, expires_at: u64) -> Grant {
    Grant {
        peer: key(name),
        role: Role::Peer,
        send: Patterns::new(vec!["b*".into()]).unwrap(),
        rooms: Patterns::new(vec!["r*".into()]).unwrap(),
        info: Some(serde_json::value::RawValue::from_string(r#"{"from":"token"}"#.into()).unwrap()),
        duplicate: DuplicatePolicy::Replace,
        limits: None,
        region: None,
        expires_at,
        issued_at: None,
        token_id: None,
    }
}

/// A gate and its bounds.
struct Gate {
    gate: CommandGate,
    limits: Limits,
}

impl Gate {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let gate = CommandGate::new(grant("alice", EXPIRES_AT), account_with("alice", limits.clone()));
        Self { gate, limits }
    }

    /// The effect of one frame as text.
    fn on_text(&mut self, text: &str) -> String {
        self.on_text_after(text, 0)
    }

    /// The same after the message `written_seq` was written to the client.
    fn on_text_after(&mut self, text: &str, written_seq: u64) -> String {
        let decoded = decode_command(text);
        said(&self.gate.on_command(decoded, written_seq, 7, &self.limits))
    }

    fn ack(&mut self, seq: u64, written_seq: u64) -> String {
        self.on_text_after(&format!(r#"{{"type":"ack","seq":{seq}}}"#), written_seq)
    }

    fn send(&mut self, to: &str, id: u64) -> String {
        self.on_text(&format!(
            r#"{{"type":"offer","to":"{to}","id":{id},"payload":{{"a": 1}}}}"#
        ))
    }

    fn on_time(&mut self, now_s: u64) -> String {
        said(&self.gate.on_time(now_s))
    }
}

fn said(effect: &CommandEffect<'_>) -> String {
    match effect {
        CommandEffect::Nothing => "nothing".into(),
        CommandEffect::Send { to, payload, id, .. } => {
            let id = match id {
                MessageId::Client(id) => format!("#{id}"),
                MessageId::Node(number) => format!("unnumbered {number}"),
            };
            format!("send {to} {id} {payload}")
        }
        CommandEffect::SendToRoom {
            room, payload, id, ..
        } => format!("send to room {room} {id:?} {payload}"),
        CommandEffect::Join { room, info, id } => {
            format!("join {room} {} {id:?}", info.as_ref().map_or("-", Info::get))
        }
        CommandEffect::Leave { room, id } => format!("leave {room} {id:?}"),
        CommandEffect::Reply(Event::Error { id, code, .. }) => {
            format!("error {code} {}", id.map_or("-".into(), |id| id.to_string()))
        }
        CommandEffect::Reply(event) => event.to_json(),
        CommandEffect::Renew { token, id } => format!("renew {token} {id:?}"),
        CommandEffect::Ack { seq, late } => format!("ack {seq} {late}"),
        CommandEffect::Ice { id } => format!("ice {id:?}"),
        CommandEffect::Presence { command, peers, id } => format!("{command:?} {peers:?} {id:?}"),
        CommandEffect::Close(code) => format!("close {}", code.code()),
    }
}

#[test]
fn each_command_has_its_effect() {
    let mut gate = Gate::new();
    assert_eq!(gate.send("bob", 1), r#"send default/bob #1 {"a": 1}"#);
    let unnumbered = r#"{"type":"message","to":"bob","payload":1}"#;
    assert_eq!(gate.on_text(unnumbered), "send default/bob unnumbered 1 1");
    assert_eq!(gate.on_text(unnumbered), "send default/bob unnumbered 2 1");
    assert_eq!(gate.on_text(r#"{"type":"ack","seq":3}"#), "ack 3 false");
    assert_eq!(
        gate.on_text(r#"{"type":"ack","seq":3,"late":true}"#),
        "ack 3 true"
    );
    assert_eq!(gate.on_text(r#"{"type":"ice","id":4}"#), "ice Some(4)");
    let pong = Event::Pong {
        id: Some(5),
        time_ms: 7,
    };
    assert_eq!(gate.on_text(r#"{"type":"ping","id":5}"#), pong.to_json());
    assert_eq!(
        gate.on_text(r#"{"type":"renew","token":"t","id":6}"#),
        "renew t Some(6)"
    );
}

#[test]
fn a_peer_may_ask_only_for_those_that_it_may_send_to() {
    let mut gate = Gate::new();
    let ask = |command: &str, peers: &str| format!(r#"{{"type":"{command}","peers":{peers},"id":1}}"#);
    for (command, effect) in [("lookup", "Lookup"), ("watch", "Watch"), ("unwatch", "Unwatch")] {
        let peers = r#"["default/bob", "default/bert"] Some(1)"#;
        let effect = format!("{effect} {peers}");
        assert_eq!(gate.on_text(&ask(command, r#"["bob","bert"]"#)), effect);
        assert_eq!(gate.on_text(&ask(command, r#"["bob","b/b"]"#)), "error bad-id 1");
    }
    for command in ["lookup", "watch"] {
        assert_eq!(
            gate.on_text(&ask(command, r#"["bob","carol"]"#)),
            "error not-allowed 1"
        );
    }
    // A newer token may grant less than the one under which a watch began.
    assert_eq!(
        gate.on_text(&ask("unwatch", r#"["carol"]"#)),
        r#"Unwatch ["default/carol"] Some(1)"#
    );
}

#[test]
fn a_question_counts_once_for_each_peer() {
    let limits = Limits {
        messages_per_second: 1,
        message_burst: 10,
        ..Limits::default()
    };
    let mut gate = Gate::with(limits);
    let peers: Vec<_> = (0..6).map(|peer| format!("\"b{peer}\"")).collect();
    let lookup = format!(r#"{{"type":"lookup","peers":[{}],"id":1}}"#, peers.join(","));
    assert!(gate.on_text(&lookup).starts_with("Lookup"));
    assert_eq!(gate.on_text(&lookup), "error rate-limited 1");
    let few = r#"{"type":"lookup","peers":["b1"],"id":2}"#;
    assert!(gate.on_text(few).starts_with("Lookup"), "four are left");
}

#[test]
fn a_hold_has_a_bound_and_needs_an_id() {
    let hold = |limit_ms: u64, field: &str| {
        let limits = Limits {
            hold: Duration::from_millis(limit_ms),
            ..Limits::default()
        };
        let mut gate = Gate::with(limits);
        let text = format!(r#"{{"type":"offer","to":"bob","payload":1,"id":1{field}}}"#);
        let decoded = decode_command(&text);
        let effect = gate.gate.on_command(decoded, 0, 7, &gate.limits);
        let CommandEffect::Send { hold, .. } = effect else {
            panic!("{effect:?}");
        };
        hold.map(|hold| hold.as_millis())
    };
    assert_eq!(hold(500, ""), None);
    assert_eq!(hold(500, r#","hold_ms":400"#), Some(400));
    assert_eq!(hold(500, r#","hold_ms":501"#), Some(500));
    assert_eq!(hold(500, r#","hold_ms":0"#), None);
    assert_eq!(hold(0, r#","hold_ms":400"#), None, "this node holds nothing");
    let unnumbered = r#"{"type":"offer","to":"bob","payload":1,"hold_ms":400}"#;
    assert_eq!(Gate::new().on_text(unnumbered), "error missing-field -");
}

#[test]
fn ids_must_rise() {
    let mut gate = Gate::new();
    assert!(gate.send("bob", 5).starts_with("send"));
    assert_eq!(gate.send("bob", 5), "error bad-frame 5");
    assert_eq!(gate.send("bob", 4), "error bad-frame 4");
    assert!(gate.send("bob", 6).starts_with("send"));
}

#[test]
fn a_send_needs_a_valid_receiver_that_the_token_allows() {
    let mut gate = Gate::new();
    assert_eq!(gate.send("carol", 1), "error not-allowed 1");
    assert_eq!(gate.send("b/b", 2), "error bad-id 2");
    assert_eq!(gate.gate.grant().peer, key("alice"));
}

#[test]
fn bad_frames_in_a_row_close_the_connection_and_a_good_one_forgives_them() {
    let mut gate = Gate::with(Limits {
        bad_frames_in_a_row: 3,
        ..Limits::default()
    });
    for _ in 0..2 {
        assert_eq!(gate.on_text("{"), "error bad-frame -");
        assert_eq!(
            gate.on_text(r#"{"type":"offer","id":8}"#),
            "error missing-field 8"
        );
        assert_eq!(gate.on_text(r#"{"type":"ack","seq":1}"#), "ack 1 false");
    }
    (0..2).for_each(|_| assert_eq!(gate.on_text("{"), "error bad-frame -"));
    assert_eq!(gate.on_text("{"), "close 4400");
}

#[test]
fn a_command_of_an_unknown_type_is_answered_and_never_counts_as_a_bad_frame() {
    let mut gate = Gate::new();
    for id in 1..=100 {
        let newer = format!(r#"{{"type":"watch-x","id":{id},"to":["bob"]}}"#);
        assert_eq!(gate.on_text(&newer), format!("error unknown-type {id}"));
    }
    for _ in 0..9 {
        assert_eq!(gate.on_text("{"), "error bad-frame -");
    }
    assert_eq!(gate.on_text(r#"{"type":"watch-x"}"#), "error unknown-type -");
    assert_eq!(gate.on_text("{"), "error bad-frame -");
}

#[test]
fn rooms_are_those_of_the_token_and_a_member_may_always_leave() {
    let mut gate = Gate::new();
    let join = r#"{"type":"join","room":"r1","info":{"a":1},"id":1}"#;
    assert_eq!(gate.on_text(join), r#"join default/r1 {"a":1} Some(1)"#);
    let join = r#"{"type":"join","room":"r1"}"#;
    assert_eq!(gate.on_text(join), r#"join default/r1 {"from":"token"} None"#);
    let send = r#"{"type":"message","room":"r1","payload":1,"id":2}"#;
    assert_eq!(gate.on_text(send), "send to room default/r1 Client(2) 1");
    for (text, answer) in [
        (r#"{"type":"join","room":"lobby","id":3}"#, "error not-allowed 3"),
        (r#"{"type":"join","room":"other/r1","id":4}"#, "error bad-id 4"),
        (
            r#"{"type":"message","room":"lobby","payload":1,"id":5}"#,
            "error not-allowed 5",
        ),
        (r#"{"type":"message","room":"r 1","payload":1}"#, "error bad-id -"),
        (
            r#"{"type":"leave","room":"lobby","id":6}"#,
            "leave default/lobby Some(6)",
        ),
        (r#"{"type":"leave","room":"r/1","id":7}"#, "error bad-id 7"),
    ] {
        assert_eq!(gate.on_text(text), answer, "{text}");
    }
}

#[test]
fn acknowledgements_of_what_was_written_are_charged_to_no_rate() {
    let mut gate = slow(1, 2);
    for seq in 1..=10_000 {
        assert_eq!(gate.ack(seq, 10_000), format!("ack {seq} false"));
    }
    assert!(
        gate.send("bob", 1).starts_with("send"),
        "the message rate is untouched"
    );
}

#[test]
fn acknowledgements_of_nothing_new_have_a_rate_of_their_own() {
    let mut gate = slow(1, 2);
    assert_eq!(gate.ack(5, 5), "ack 5 false");
    let passed = (0..10_000)
        .take_while(|_| gate.ack(9, 5) == "ack 9 false")
        .count();
    assert!((400..1_000).contains(&passed), "{passed}");
    assert!(
        gate.send("bob", 1).starts_with("send"),
        "the message rate is untouched"
    );
    assert_eq!(gate.ack(6, 6), "ack 6 false", "a new one passes all the same");
    assert_eq!(gate.ack(6, 6), "close 4429");
}

#[test]
fn pings_have_a_rate_of_their_own_and_close_the_connection_when_they_do_not_stop() {
    let mut gate = slow(1, 100);
    assert!(gate.send("bob", 1).starts_with("send"));
    let pings = (0..400).filter(|_| gate.on_text(r#"{"type":"ping"}"#).contains("pong"));
    assert_eq!(pings.count(), 400);
    let mut control = (0..10_000).map(|_| said(&gate.gate.on_control_frame(&gate.limits)));
    let refused = control.find(|effect| effect != "nothing");
    assert_eq!(refused.as_deref(), Some("error rate-limited -"));
    assert!(control.any(|effect| effect == "close 4429"));
}

/// A gate that lets `burst` commands pass, then nearly none.
fn slow(burst: u32, strikes: u32) -> Gate {
    Gate::with(Limits {
        messages_per_second: 1,
        message_burst: burst,
        rate_strikes: strikes,
        ..Limits::default()
    })
}

#[test]
fn commands_over_the_rate_are_refused_by_their_id_and_then_close() {
    let mut gate = slow(2, 6);
    assert!(gate.send("bob", 1).starts_with("send"));
    assert!(gate.send("bob", 2).starts_with("send"));
    assert_eq!(gate.send("bob", 3), "error rate-limited 3");
    assert_eq!(gate.on_text(r#"{"type":"ice","id":4}"#), "error rate-limited 4");
    assert_eq!(
        gate.on_text(r#"{"type":"renew","token":"t","id":5}"#),
        "error rate-limited 5"
    );
    assert_eq!(
        gate.on_text(r#"{"type":"nonsense","id":7}"#),
        "error rate-limited 7"
    );
    assert_eq!(gate.on_text("{"), "error rate-limited -");
    assert_eq!(gate.send("bob", 8), "close 4429");
}

#[test]
fn a_refusal_says_when_to_try_again() {
    let mut gate = slow(1, 8);
    gate.send("bob", 1);
    let text = r#"{"type":"ice"}"#;
    let CommandEffect::Reply(Event::Error { retry_after_ms, .. }) =
        gate.gate.on_command(decode_command(text), 0, 7, &gate.limits)
    else {
        panic!("not refused")
    };
    let wait = retry_after_ms.unwrap();
    assert!((1..=1000).contains(&wait), "{wait} ms");
}

#[test]
fn refusals_are_forgiven_one_by_one_with_time() {
    let mut gate = slow(1, 3);
    assert!(gate.send("bob", 1).starts_with("send"));
    for second in 1..=3 {
        assert_eq!(gate.send("bob", 2), "error rate-limited 2");
        assert_eq!(gate.on_time(second), "nothing");
    }
    assert_eq!(gate.send("bob", 2), "error rate-limited 2");
    assert_eq!(gate.on_time(3), "nothing", "forgives no more in the same second");
    assert_eq!(gate.send("bob", 2), "error rate-limited 2");
    assert_eq!(gate.send("bob", 2), "close 4429");
}

#[test]
fn a_rate_of_zero_lets_one_command_pass() {
    let mut gate = Gate::with(Limits {
        messages_per_second: 0,
        message_burst: 0,
        ..Limits::default()
    });
    assert!(gate.send("bob", 1).starts_with("send"));
    assert_eq!(gate.send("bob", 2), "error rate-limited 2");
}

#[test]
fn the_end_of_a_token_is_announced_once_a_minute_before_and_closes() {
    let mut gate = Gate::new();
    let expires_at = EXPIRES_AT;
    assert_eq!(gate.gate.next_time_s(), EXPIRES_AT - 60);
    assert_eq!(gate.on_time(EXPIRES_AT - 61), "nothing");
    assert_eq!(
        gate.on_time(EXPIRES_AT - 60),
        Event::Expiring { expires_at }.to_json()
    );
    assert_eq!(gate.gate.next_time_s(), EXPIRES_AT);
    assert_eq!(gate.on_time(EXPIRES_AT - 1), "nothing");
    assert_eq!(
        gate.on_time(EXPIRES_AT),
        format!("close {}", CloseCode::TokenEnded.code())
    );
}

#[test]
fn a_newer_token_of_the_same_peer_replaces_the_grant_and_is_announced_anew() {
    let mut gate = Gate::new();
    gate.on_time(EXPIRES_AT - 60);
    let renewed = gate.gate.renewed(grant("alice", 2_000), Some(9));
    let expected = Event::Renewed {
        id: Some(9),
        token_expires_at: 2_000,
    };
    assert_eq!(renewed.to_json(), expected.to_json());
    assert_eq!(
        (gate.gate.grant().expires_at, gate.gate.next_time_s()),
        (2_000, 1_940)
    );
    assert_eq!(gate.on_time(EXPIRES_AT), "nothing");
}

#[test]
fn a_renewal_to_a_shorter_token_is_announced_and_ends_by_the_new_one() {
    let mut gate = Gate::new();
    let (now, expires_at) = (100, 106);
    gate.gate.renewed(grant("alice", expires_at), None);
    assert!(gate.gate.next_time_s() <= now, "due at once");
    assert_eq!(gate.on_time(now), Event::Expiring { expires_at }.to_json());
    assert_eq!(gate.gate.next_time_s(), expires_at);
    assert_eq!(gate.on_time(105), "nothing");
    assert_eq!(gate.on_time(106), "close 4401");
}

#[test]
fn a_token_of_another_peer_or_a_bad_one_changes_nothing() {
    let mut gate = Gate::new();
    let refused = gate.gate.renewed(grant("bob", 2_000), Some(9));
    let bad = CommandGate::not_renewed(Some(9), "why".into());
    for event in [refused, bad] {
        assert!(matches!(
            event,
            Event::Error {
                id: Some(9),
                code: ErrorCode::TokenInvalid,
                ..
            }
        ));
    }
    assert_eq!(gate.gate.grant().expires_at, EXPIRES_AT);
}

#[test]
fn all_sessions_of_a_peer_share_one_rate() {
    let account = account_with(
        "alice",
        Limits {
            messages_per_second: 1,
            message_burst: 3,
            ..Limits::default()
        },
    );
    let taken = (0..11).filter(|_| {
        let mut gate = CommandGate::new(grant("alice", EXPIRES_AT), std::sync::Arc::clone(&account));
        let send = r#"{"type":"offer","to":"bob","id":1,"payload":1}"#;
        let effect = gate.on_command(decode_command(send), 0, 7, &Limits::default());
        said(&effect).starts_with("send")
    });
    assert_eq!(taken.count(), 3);
}
