//! The consequences of each reply, without a Redis.

mod claims;

use std::time::Duration;

use redis::Value;
use switchboard_core::{Asker, BrokerError, Presence, StoreOutcome};
use switchboard_protocol::NodeMessage;

use super::{super::fixture::*, interpret};
use crate::redis::command::{
    AfterLease, Command,
    script_call::{Force, ScriptCall},
};

fn text(text: &str) -> Value {
    Value::BulkString(text.into())
}

fn words(words: &[&str]) -> Value {
    Value::Array(words.iter().map(|word| text(word)).collect())
}

fn owner_reply(state: &str) -> Value {
    words(&["n2", "run", &session(1).to_string(), state, "0", "17"])
}

fn locate() -> Command {
    Command::Locate {
        asker: Asker::Send(mid()),
        to: bob(),
    }
}

fn check_lease(next: AfterLease) -> Command {
    Command::CheckLease {
        owner: Box::new(owner("run")),
        next,
    }
}

fn after_locate() -> AfterLease {
    AfterLease::Locate {
        asker: Asker::Send(mid()),
        to: bob(),
    }
}

fn after_store() -> AfterLease {
    AfterLease::Store(Box::new(message()))
}

impl Fixture {
    fn interpret(&self, command: Command, reply: Result<Value, BrokerError>) -> Option<Command> {
        interpret(command, reply, &self.shard, &self.events)
    }

    /// The only event that follows, and no command.
    fn outcome(&self, command: Command, reply: Value) -> Event {
        assert!(self.interpret(command, Ok(reply)).is_none());
        let mut events = self.events.take();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// The publisher is up and bob's subscription has to be made again: nothing is settled.
    fn unsettled() -> Self {
        let fixture = Self::new();
        fixture.shard.tables.lock().subscriptions.lost();
        fixture
    }
}

#[test]
fn a_publish_is_reported_with_its_receivers_or_its_error() {
    let fixture = Fixture::new();
    let publish = || Command::Publish {
        mid: mid(),
        to: bob(),
        partition: crate::partition::Partition::of("acme/bob"),
        envelope: b"x".to_vec(),
    };
    assert_eq!(fixture.outcome(publish(), Value::Int(2)), Event::Published(Ok(2)));
    fixture.interpret(publish(), Err(BrokerError::Unavailable));
    assert_eq!(
        fixture.events.take(),
        [Event::Published(Err(BrokerError::Unavailable))]
    );
}

#[test]
fn a_peer_without_a_record_is_offline_once_that_proves_something() {
    let absent = || Value::Array(vec![Value::Nil; 6]);
    let fixture = Fixture::new();
    let run = fixture.shard.lease.incarnation().to_owned();
    for (lease, outcome) in [
        (text(&run), Ok(Presence::Offline)),
        (text("another run"), Err(BrokerError::Unsettled)),
        (Value::Nil, Err(BrokerError::Unsettled)),
    ] {
        let next = fixture.interpret(locate(), Ok(absent())).unwrap();
        assert!(matches!(next, Command::CheckAbsence(_)), "{next:?}");
        assert_eq!(fixture.outcome(next, lease), Event::Located(outcome));
    }
    let outcome = Fixture::unsettled().outcome(locate(), absent());
    assert_eq!(outcome, Event::Located(Err(BrokerError::Unsettled)));
}

#[test]
fn a_detached_peer_is_located_at_once_and_the_lease_of_an_attached_one_is_checked() {
    let fixture = Fixture::new();
    let detached = fixture.outcome(locate(), owner_reply("detached"));
    assert_eq!(detached, Event::Located(Ok(Presence::Detached)));
    let next = fixture.interpret(locate(), Ok(owner_reply("attached")));
    let Some(Command::CheckLease { owner, next }) = next else {
        panic!("{next:?}");
    };
    assert_eq!((owner.node, owner.incarnation.as_str()), (node("n2"), "run"));
    assert!(matches!(next, AfterLease::Locate { .. }));
    assert_eq!(fixture.events.take(), []);
}

#[test]
fn an_owner_with_a_lease_is_alive() {
    let fixture = Fixture::unsettled();
    let located = fixture.outcome(check_lease(after_locate()), text("run"));
    assert_eq!(
        located,
        Event::Located(Ok(Presence::Attached { node: node("n2") }))
    );
    let stored = fixture.outcome(check_lease(after_store()), text("run"));
    assert_eq!(stored, Event::Stored(Ok(StoreOutcome::Attached)));
}

#[test]
fn an_owner_whose_lease_a_later_run_holds_is_dead_once_that_proves_something() {
    let fixture = Fixture::new();
    let located = fixture.outcome(check_lease(after_locate()), text("later"));
    assert_eq!(located, Event::Located(Ok(Presence::Orphaned)));
    let next = fixture.interpret(check_lease(after_store()), Ok(text("later")));
    let Some(Command::Script {
        call,
        with_source: false,
    }) = next
    else {
        panic!("{next:?}");
    };
    assert!(matches!(*call, ScriptCall::Store(_, Force::OwnerIsDead(run)) if run == "run"));
    let fixture = Fixture::unsettled();
    let located = fixture.outcome(check_lease(after_locate()), text("later"));
    assert_eq!(located, Event::Located(Err(BrokerError::Unsettled)));
}

#[test]
fn a_lease_that_ran_out_proves_nothing_until_redis_was_up_for_its_whole_length() {
    let fixture = Fixture::new();
    let located = fixture.outcome(check_lease(after_locate()), Value::Nil);
    assert_eq!(located, Event::Located(Err(BrokerError::Unsettled)));
    let stored = fixture.outcome(check_lease(after_store()), Value::Nil);
    assert_eq!(stored, Event::Stored(Err(BrokerError::Unsettled)));
}

fn store(force: Force) -> Command {
    Command::script(ScriptCall::Store(message(), force))
}

#[test]
fn a_hold_is_charged_before_the_message_is_stored() {
    let fixture = Fixture::new();
    let next = fixture.interpret(store(Force::No), Ok(words(&["hold"])));
    let Some(Command::Script { call, .. }) = next else {
        panic!("{next:?}");
    };
    assert!(matches!(*call, ScriptCall::ChargeHold(..)));
    let charge = || Command::script(ScriptCall::ChargeHold(message(), Force::No));
    let next = fixture.interpret(charge(), Ok(Value::Int(1)));
    let Some(Command::Script { call, .. }) = next else {
        panic!("{next:?}");
    };
    assert!(matches!(*call, ScriptCall::StoreHeld(_, Force::No)));
    assert_eq!(fixture.events.take(), []);
    let event = fixture.outcome(charge(), Value::Int(0));
    assert_eq!(event, Event::Stored(Ok(StoreOutcome::TenantFull)));
    fixture.interpret(charge(), Err(BrokerError::Unavailable));
    assert_eq!(
        fixture.events.take(),
        [Event::Stored(Err(BrokerError::Unavailable))]
    );
}

#[test]
fn each_answer_of_a_store_is_reported() {
    let fixture = Fixture::new();
    for (reply, outcome) in [
        (&["delivered"][..], StoreOutcome::Delivered),
        (&["late"], StoreOutcome::Late),
        (&["gap"], StoreOutcome::Gap),
        (&["full"], StoreOutcome::Full),
        (
            &["queued", "1500", "n2", "0"],
            StoreOutcome::Queued {
                kept_for: Duration::from_millis(1500),
                wakes: false,
            },
        ),
    ] {
        let event = fixture.outcome(store(Force::No), words(reply));
        assert_eq!(event, Event::Stored(Ok(outcome)));
    }
    let next = fixture
        .interpret(store(Force::No), Ok(words(&["offline"])))
        .unwrap();
    let run = text(fixture.shard.lease.incarnation());
    assert_eq!(
        fixture.outcome(next, run),
        Event::Stored(Ok(StoreOutcome::Offline))
    );
    let event = Fixture::unsettled().outcome(store(Force::No), words(&["offline"]));
    assert_eq!(event, Event::Stored(Err(BrokerError::Unsettled)));
}

#[test]
fn only_an_urgent_message_hints_its_receivers_node() {
    let mut fixture = Fixture::new();
    let queued = || words(&["queued", "1500", "n2", "0"]);
    fixture.outcome(store(Force::No), queued());
    fixture.outcome(store(Force::OwnerIsDead("run".into())), queued());
    assert_eq!(fixture.sent_to_nodes(), []);
    fixture.outcome(store(Force::Urgent), queued());
    let hint = NodeMessage::OfflineQueueHint { key: bob() };
    assert_eq!(fixture.sent_to_nodes(), [(node("n2"), hint)]);
}

#[test]
fn only_a_message_without_force_has_the_owners_lease_checked() {
    let fixture = Fixture::new();
    let attached = || words(&["attached", "n2", "run"]);
    let next = fixture.interpret(store(Force::No), Ok(attached()));
    assert!(
        matches!(&next, Some(Command::CheckLease { owner, next: AfterLease::Store(_) }) if owner.incarnation == "run"),
        "{next:?}"
    );
    for force in [Force::Urgent, Force::OwnerIsDead("run".into())] {
        let event = fixture.outcome(store(force), attached());
        assert_eq!(event, Event::Stored(Ok(StoreOutcome::Attached)));
    }
}
