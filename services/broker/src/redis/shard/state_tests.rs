//! What the shard does itself, without a Redis.

use std::time::Duration;

use super::{
    super::{
        fixture::{Fixture, bob, claim, session, token},
        health::ConnectionState,
    },
    *,
};

fn touch(claim: LocalClaim) -> ScriptCall {
    ScriptCall::Touch(claim.key.clone(), claim.session())
}

#[test]
fn a_command_is_queued_only_while_the_publisher_is_up() {
    let mut fixture = Fixture::new();
    let send = |fixture: &Fixture| fixture.shard.send(Command::Probe { nonce: 1 });
    assert_eq!(send(&fixture), Ok(()));
    fixture
        .shard
        .health
        .set_publisher(ConnectionState::Down(String::new()));
    assert_eq!(send(&fixture), Err(BrokerError::Unavailable));
    assert_eq!(fixture.sent().len(), 1);
}

#[test]
fn only_the_owners_claim_is_sent_and_for_the_current_epoch() {
    let mut fixture = Fixture::new();
    let send = |fixture: &Fixture| fixture.shard.send_claim(claim(1), |claim, _| touch(claim));
    assert_eq!(send(&fixture), Err(BrokerError::Superseded));
    fixture.shard.tables.lock().take(&bob(), token(1));
    let epoch = || fixture.shard.tables.lock().claims.epoch();
    let first = epoch();
    assert_eq!(send(&fixture), Ok(first));
    fixture.shard.tables.lock().claims.next_epoch();
    assert!(epoch() > first);
    assert_eq!(send(&fixture), Ok(epoch()));
    fixture.shard.tables.lock().take(&bob(), token(2));
    assert_eq!(send(&fixture), Err(BrokerError::Superseded));
    assert_eq!(fixture.sent().len(), 2);
}

#[test]
fn a_release_is_sent_now_or_waits_for_redis() {
    let mut fixture = Fixture::new();
    fixture.shard.forget(&bob(), session(1), 3);
    assert_eq!(
        (fixture.sent().len(), fixture.shard.pending.take().releases.len()),
        (1, 0)
    );
    fixture
        .shard
        .health
        .set_publisher(ConnectionState::Down(String::new()));
    fixture.shard.forget(&bob(), session(1), 3);
    let pending = fixture.shard.pending.take();
    assert_eq!((fixture.sent().len(), pending.releases.len()), (0, 1));
    assert_eq!(
        (pending.releases[0].session, pending.releases[0].fence),
        (session(1), 3)
    );
}

#[test]
fn a_takeover_is_kept_for_the_node() {
    let fixture = Fixture::new();
    fixture.shard.announce_takeover(bob(), session(1), 3);
    let takeover = NodeMessage::Takeover {
        key: bob(),
        session: session(1),
        fence: 3,
    };
    assert_eq!(fixture.shard.pending.take().takeovers, [takeover]);
}

#[test]
fn sessions_are_kept_at_shutdown_as_long_as_they_can_be_resumed() {
    let fixture = Fixture::new();
    assert_eq!(fixture.shard.retention_at_shutdown(), None);
    let window = Duration::from_millis(1);
    fixture.shard.note_window(window);
    let retention = Retention {
        snapshot: None,
        window,
    };
    assert_eq!(fixture.shard.retention_at_shutdown(), Some(retention));
    fixture.shard.note_window(Duration::ZERO);
    assert_eq!(fixture.shard.retention_at_shutdown(), None);
}

#[test]
fn an_absent_record_is_proof_once_everything_is_subscribed_and_claimed() {
    let fixture = Fixture::new();
    assert_eq!(fixture.shard.absence_is_proof(None), Ok(()));
    fixture.shard.tables.lock().take(&bob(), token(1));
    fixture
        .shard
        .tables
        .lock()
        .leave_to_background(&bob(), session(1));
    assert_eq!(fixture.shard.absence_is_proof(None), Err(BrokerError::Unsettled));
    let mut tables = fixture.shard.tables.lock();
    let epoch = tables.claims.epoch();
    tables.claims.confirm(&bob(), session(1), 3, epoch);
    drop(tables);
    assert_eq!(fixture.shard.absence_is_proof(None), Ok(()));
    fixture
        .shard
        .health
        .set_publisher(ConnectionState::Down(String::new()));
    assert_eq!(
        fixture.shard.absence_is_proof(None),
        Err(BrokerError::Unavailable)
    );
}

#[test]
fn the_status_counts_subscriptions() {
    let fixture = Fixture::new();
    fixture.shard.tables.lock().take(&bob(), token(1));
    let status = fixture.shard.status();
    assert_eq!((status.desired, status.confirmed), (1, 0));
    fixture.shard.tables.lock().subscribed("acme/bob");
    assert_eq!(fixture.shard.status().confirmed, 1);
}
