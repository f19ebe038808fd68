//! The consequences of claims, releases, offline queues and probes.

use switchboard_core::PreviousOwner;
use tokio::sync::oneshot;

use super::{super::claimed, *};
use crate::redis::{claim::Release, record::Claimed, shard::probe::ProbeOutcome};

#[test]
fn an_empty_offline_queue_is_not_reported() {
    let fixture = Fixture::new();
    let read = || Command::script(ScriptCall::ReadOfflineQueue(bob(), session(1)));
    assert!(fixture.interpret(read(), Ok(words(&[]))).is_none());
    assert!(fixture.interpret(read(), Err(BrokerError::Refused)).is_none());
    assert_eq!(fixture.events.take(), []);
    let event = fixture.outcome(read(), words(&["one", "two"]));
    assert_eq!(
        event,
        Event::OfflineQueue(session(1), vec!["one".into(), "two".into()])
    );
}

#[test]
fn a_release_waits_for_redis_only_if_redis_was_away() {
    let fixture = Fixture::new();
    let release = || Release {
        key: bob(),
        session: session(1),
        fence: 3,
        retention: None,
    };
    let command = || Command::script(ScriptCall::Release(release()));
    fixture.interpret(command(), Ok(Value::Int(1)));
    fixture.interpret(command(), Err(BrokerError::Refused));
    assert_eq!(fixture.shard.pending.take().releases, []);
    fixture.interpret(command(), Err(BrokerError::Unavailable));
    assert_eq!(fixture.shard.pending.take().releases, [release()]);
}

fn found(previous: Option<&str>, stored: &[&'static str]) -> Claimed {
    let previous = previous.map(|name| PreviousOwner {
        node: node(name),
        session: session(1),
    });
    Claimed {
        fence: 7,
        previous,
        snapshot: None,
        rooms: Vec::new(),
        stored: stored.iter().map(|message| (*message).into()).collect(),
    }
}

#[test]
fn a_claim_without_its_attach_is_adopted_and_the_previous_owner_learns_it() {
    let mut fixture = Fixture::new();
    fixture.shard.tables.lock().take(&bob(), token(2));
    claimed::adopt(
        &fixture.shard,
        &claim(2),
        found(Some("n2"), &["one"]),
        1,
        &fixture.events,
    );
    assert_eq!(
        fixture.events.take(),
        [Event::OfflineQueue(session(2), vec!["one".into()])]
    );
    let takeover = NodeMessage::Takeover {
        key: bob(),
        session: session(1),
        fence: 7,
    };
    assert_eq!(fixture.sent_to_nodes(), [(node("n2"), takeover)]);
    assert_eq!(fixture.shard.tables.lock().claims.list_confirmed()[0].fence, 7);
}

#[test]
fn an_adopted_claim_after_this_node_tells_nobody() {
    let mut fixture = Fixture::new();
    fixture.shard.tables.lock().take(&bob(), token(2));
    for previous in [None, Some("n1")] {
        claimed::adopt(
            &fixture.shard,
            &claim(2),
            found(previous, &[]),
            1,
            &fixture.events,
        );
        assert_eq!((fixture.events.take(), fixture.sent_to_nodes()), (vec![], vec![]));
    }
}

#[test]
fn a_claim_of_a_session_that_is_gone_is_released() {
    let mut fixture = Fixture::new();
    claimed::adopt(
        &fixture.shard,
        &claim(2),
        found(Some("n2"), &["one"]),
        1,
        &fixture.events,
    );
    assert_eq!(fixture.events.take(), []);
    let sent = fixture.sent();
    let [Command::Script { call, .. }] = &sent[..] else {
        panic!("{sent:?}");
    };
    let ScriptCall::Release(release) = &**call else {
        panic!("{call:?}");
    };
    assert_eq!(
        (release.session, release.fence, &release.retention),
        (session(2), 7, &None)
    );
}

#[test]
fn a_claim_goes_to_its_attach_or_is_adopted_when_the_attach_is_gone() {
    let fixture = Fixture::new();
    fixture.shard.tables.lock().take(&bob(), token(2));
    let reply = || {
        let fields = ["7", "", "", ""].map(text);
        let empty = || Value::Array(Vec::new());
        Value::Array(fields.into_iter().chain([empty(), empty()]).collect())
    };
    let command = |answer| {
        Command::script(ScriptCall::Claim {
            claim: claim(2),
            resume: false,
            window: Duration::ZERO,
            epoch: 1,
            answer,
        })
    };
    let (sender, mut answer) = oneshot::channel();
    fixture.interpret(command(sender), Ok(reply()));
    assert_eq!(answer.try_recv().unwrap().unwrap().fence, 7);
    assert_eq!(fixture.shard.tables.lock().claims.list_confirmed().len(), 0);
    let (sender, answer) = oneshot::channel();
    drop(answer);
    fixture.interpret(command(sender), Ok(reply()));
    assert_eq!(fixture.shard.tables.lock().claims.list_confirmed().len(), 1);
}

#[test]
fn a_probe_counts_as_published_only_if_redis_took_it() {
    let fixture = Fixture::new();
    let nonce = fixture.shard.probe.begin();
    fixture.interpret(Command::Probe { nonce }, Err(BrokerError::Refused));
    assert_eq!(fixture.shard.probe.outcome(), ProbeOutcome::NotPublished);
    fixture.interpret(Command::Probe { nonce }, Ok(Value::Int(1)));
    assert_eq!(fixture.shard.probe.outcome(), ProbeOutcome::Missed);
}
