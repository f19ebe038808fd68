//! The words of every command.

use std::time::Duration;

use redis::Arg;
use switchboard_core::{AcceptedRanges, Asker, Hold, Retention, SessionSnapshot, StoredMessage};
use switchboard_protocol::{MessageId, Mid, PeerKey, ResumeToken, RoomKey, SessionId};
use tokio::sync::oneshot;

use super::{
    super::{room_call::RoomCall, script_call::Force},
    *,
};
use crate::{
    keys::Names,
    partition::Partition,
    redis::{
        claim::{LocalClaim, Release},
        node_run::NodeRun,
        record::Owner,
        scripts::Script,
    },
};

const SESSION: SessionId = SessionId::from_bytes([1; 12]);

fn bob() -> PeerKey {
    PeerKey::parse("acme/bob").unwrap()
}

fn mid() -> Mid {
    Mid {
        session: SESSION,
        id: MessageId::Client(7),
    }
}

fn caller() -> Caller {
    let run = NodeRun {
        node: NodeId::new("n1").unwrap(),
        incarnation: "run".to_owned(),
    };
    Caller::new(run, Names::default(), 0.75)
}

/// The words of `command`; the name of a script instead of its hash.
fn words(command: &Command) -> Vec<String> {
    let (caller, mut channel, mut pipeline) = (caller(), b"old".to_vec(), Pipeline::new());
    write(command, &caller, &mut channel, &mut pipeline);
    let commands: Vec<_> = pipeline.cmd_iter().collect();
    assert_eq!(commands.len(), 1);
    let words = commands[0].args_iter().map(|word| match word {
        Arg::Simple(word) => String::from_utf8_lossy(word).into_owned(),
        Arg::Cursor | _ => unreachable!("no command has a cursor"),
    });
    words.collect()
}

/// The same for a script, which must be `script`, without the words before its keys.
fn script_words(script: Script, call: ScriptCall) -> Vec<String> {
    let words = words(&Command::script(call));
    let head = caller().scripts.call(script, 0, false);
    let hash = head.args_iter().nth(1);
    assert!(
        matches!(hash, Some(Arg::Simple(hash)) if hash == words[1].as_bytes()),
        "another script than {script:?}"
    );
    assert_eq!(words[0], "EVALSHA");
    words[2..].to_vec()
}

fn key(kind: &str) -> String {
    format!("sb:{{{}}}:{kind}:acme/bob", Partition::of("acme/bob").tag())
}

/// The sorted set of the ends of sessions in bob's partition.
fn ends() -> String {
    format!("sb:{{{}}}:e", Partition::of("acme/bob").tag())
}

fn claim(fence: u64) -> LocalClaim {
    LocalClaim {
        key: bob(),
        token: ResumeToken::new(SESSION, [2; 16]),
        fence,
    }
}

fn session() -> String {
    SESSION.to_string()
}

#[test]
fn messages_are_published_on_the_channels_of_peer_and_node() {
    let publish = Command::Publish {
        mid: mid(),
        to: bob(),
        partition: Partition::of("acme/bob"),
        envelope: b"hello".to_vec(),
    };
    assert_eq!(words(&publish), ["PUBLISH", &key("p"), "hello"]);
    let to_node = Command::PublishToNode {
        node: NodeId::new("n2").unwrap(),
        message: b"hello".to_vec(),
    };
    assert_eq!(words(&to_node), ["PUBLISH", "sb:n:n2", "hello"]);
    let probe = words(&Command::Probe { nonce: 7 });
    assert_eq!(probe[..2], ["PUBLISH", "sb:n:n1"]);
}

#[test]
fn an_owner_and_its_lease_are_read() {
    let read = [
        "HMGET",
        &key("s"),
        "node",
        "inc",
        "session",
        "state",
        "touches",
        "v",
    ];
    assert_eq!(
        words(&Command::Locate {
            asker: Asker::Send(mid()),
            to: bob()
        }),
        read
    );
    let (answer, _) = oneshot::channel();
    assert_eq!(words(&Command::ReadOwner { key: bob(), answer }), read);
    let owner = Owner {
        node: NodeId::new("n2").unwrap(),
        incarnation: String::new(),
        session: String::new(),
        is_attached: true,
        touches: None,
        fence: 0,
    };
    let check = Command::CheckLease {
        owner: Box::new(owner),
        next: super::super::AfterLease::Locate {
            asker: Asker::Send(mid()),
            to: bob(),
        },
    };
    assert_eq!(words(&check), ["GET", "sb:l:n2"]);
    assert_eq!(words(&Command::Flush(oneshot::channel().0)), ["PING"]);
}

#[test]
fn a_claim_names_session_run_secret_and_window() {
    let call = ScriptCall::Claim {
        claim: claim(0),
        resume: true,
        window: Duration::from_millis(1500),
        epoch: 1,
        answer: oneshot::channel().0,
    };
    let secret = claim(0).secret_hash();
    assert_eq!(
        script_words(Script::Claim, call),
        [
            "3",
            &key("s"),
            &key("m"),
            &ends(),
            &session(),
            "n1",
            "run",
            &secret,
            "1",
            "1500"
        ]
    );
    let call = ScriptCall::Reassert {
        claim: claim(9),
        answer: oneshot::channel().0,
    };
    assert_eq!(
        script_words(Script::Reassert, call),
        ["1", &key("s"), &session(), "n1", "run", &secret, "9"]
    );
}

fn release(retention: Option<Retention>) -> ScriptCall {
    ScriptCall::Release(Release {
        key: bob(),
        session: SESSION,
        fence: 3,
        retention,
    })
}

#[test]
fn a_release_keeps_what_its_session_retains() {
    let head = ["3", &key("s"), &key("m"), &ends(), &session(), "n1", "3"].map(str::to_owned);
    assert_eq!(script_words(Script::Release, release(None)), head);
    let window = Duration::from_secs(60);
    let nothing = Retention {
        snapshot: None,
        window,
    };
    let words = script_words(Script::Detach, release(Some(nothing)));
    assert_eq!(
        (&words[..7], &words[7..]),
        (&head[..], &["", "", "60000"].map(str::to_owned)[..])
    );
    let ranges = AcceptedRanges {
        done: 1,
        ranges: vec![(1, 1)],
    };
    let snapshot = SessionSnapshot {
        last_seq: 12,
        tail: Vec::new(),
        accepted: vec![(SessionId::from_bytes([7; 12]), ranges)],
    };
    let snapshot = Some(snapshot);
    let words = script_words(Script::Detach, release(Some(Retention { snapshot, window })));
    let sender = SessionId::from_bytes([7; 12]).to_string();
    assert_eq!(words[7..11], ["12", "", "60000", &sender]);
    assert_eq!(words.len(), 12);
}

fn store(force: Force, prev: Option<u64>) -> ScriptCall {
    let message = StoredMessage {
        mid: mid(),
        id: 7,
        from: PeerKey::parse("acme/alice").unwrap(),
        to: bob(),
        prev,
        is_urgent: false,
        window: Duration::from_secs(30),
        hold: None,
        is_first: false,
        envelope: b"hello".to_vec(),
    };
    ScriptCall::Store(message, force)
}

#[test]
fn a_store_names_the_bounds_and_the_force() {
    let (none, six, seven) = ("0".repeat(20), format!("{:020}", 6), format!("{:020}", 7));
    let tail = |force, run| {
        [
            "hello",
            "256",
            "1048576",
            "30000",
            run,
            "acme/alice",
            "64",
            "262144",
            "0",
            "0",
            "0",
        ]
        .map(str::to_owned)
        .into_iter()
        .fold(vec![str::to_owned(force)], |mut words, word| {
            words.push(word);
            words
        })
    };
    for (force, code, run) in [
        (Force::No, "0", ""),
        (Force::Urgent, "1", ""),
        (Force::OwnerIsDead("dead".into()), "2", "dead"),
    ] {
        let words = script_words(Script::Store, store(force, Some(6)));
        let head = ["3", &key("s"), &key("m"), &ends(), &session(), &seven, &six];
        assert_eq!(words[..7], head);
        assert_eq!(words[7..], tail(code, run));
    }
    assert_eq!(script_words(Script::Store, store(Force::No, None))[6], none);
}

#[test]
fn a_hold_is_charged_to_the_tenant_and_then_stored() {
    let held = || {
        let ScriptCall::Store(message, force) = store(Force::No, None) else {
            unreachable!("a store");
        };
        let time = Duration::from_millis(1500);
        let hold = Some(Hold {
            time,
            tenant_bytes: 9000,
        });
        let is_first = true;
        (
            StoredMessage {
                hold,
                is_first,
                ..message
            },
            force,
        )
    };
    let (message, force) = held();
    let charge = script_words(Script::ChargeHold, ScriptCall::ChargeHold(message, force));
    let tenant = format!("sb:{{{}}}:h:acme", Partition::of("acme").tag());
    // The envelope has 5 bytes, and its place costs 256.
    assert_eq!(charge, ["1", &tenant, "261", "1500", "9000", "10"]);
    let (message, force) = held();
    let words = script_words(Script::Store, ScriptCall::StoreHeld(message, force));
    assert_eq!(words[words.len() - 3..], ["1500", "1", "1"]);
}

#[test]
fn an_offline_queue_is_read_and_emptied_by_its_owner() {
    let own = [session(), "n1".to_owned(), "run".to_owned()];
    let read = script_words(
        Script::ReadOfflineQueue,
        ScriptCall::ReadOfflineQueue(bob(), SESSION),
    );
    assert_eq!(read[..3], ["2", &key("s"), &key("m")]);
    assert_eq!(read[3..], own);
    let remove = ScriptCall::RemoveStored {
        key: bob(),
        session: SESSION,
        messages: 2,
        bytes: 30,
    };
    let remove = script_words(Script::RemoveStored, remove);
    assert_eq!(
        (&remove[3..6], &remove[6..]),
        (&own[..], &["2", "30"].map(str::to_owned)[..])
    );
    let touch = script_words(Script::Touch, ScriptCall::Touch(bob(), SESSION));
    assert_eq!(
        (&touch[..2], &touch[2..]),
        (&["1".to_owned(), key("s")][..], &own[..])
    );
}

#[test]
fn a_forgotten_script_is_sent_with_its_source_once() {
    let touch = Command::script(ScriptCall::Touch(bob(), SESSION));
    let again = touch.with_source().unwrap();
    let words = words(&again);
    assert_eq!(words[0], "EVAL");
    assert!(words[1].contains("HINCRBY"), "{}", words[1]);
    assert!(again.with_source().is_err(), "its source did not help");
    assert!(Command::Probe { nonce: 1 }.with_source().is_err());
}

#[test]
fn payload_counts_towards_the_queues_bound() {
    use crate::queue::Weighed as _;
    let publish = Command::Publish {
        mid: mid(),
        to: bob(),
        partition: Partition::of("acme/bob"),
        envelope: vec![0; 10],
    };
    let to_node = Command::PublishToNode {
        node: NodeId::new("n2").unwrap(),
        message: vec![0; 20],
    };
    let stored = Command::script(store(Force::No, None));
    let touch = Command::script(ScriptCall::Touch(bob(), SESSION));
    let all = [publish, to_node, stored, touch, Command::Probe { nonce: 1 }];
    assert_eq!(all.map(|command| command.bytes()), [10, 20, 5, 0, 0]);
}

#[test]
fn questions_about_one_peer_read_no_roster_and_no_values_of_its_record() {
    let room = RoomKey::parse("acme/lobby").unwrap();
    let words = |command: Cmd| {
        let packed = command.get_packed_command();
        let text = String::from_utf8(packed).unwrap();
        let words = text.split("\r\n").filter(|word| !word.starts_with(['*', '$']));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let member = words(rooms::write_read_member(&caller(), &room, &bob().peer_id()));
    let key_of_room = format!("sb:{{{}}}:r:acme/lobby", Partition::of("acme/lobby").tag());
    assert_eq!(member[..4], ["HMGET", &key_of_room, "bob", "#created"]);
    let notes = words(rooms::write_read_notes(&caller(), &bob()));
    assert_eq!(notes[..2], ["HKEYS", &key("s")]);
}

#[path = "encode_slot_tests.rs"]
mod slots;
