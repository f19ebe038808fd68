//! Claims and subscriptions together.

use super::*;

const S1: SessionId = SessionId::from_bytes([1; 12]);
const S2: SessionId = SessionId::from_bytes([2; 12]);

fn token(session: SessionId) -> ResumeToken {
    ResumeToken::new(session, [0; 16])
}

fn alice() -> PeerKey {
    PeerKey::parse("acme/alice").unwrap()
}

fn channel() -> Channel {
    Channel::Peer(alice())
}

fn connected() -> Tables {
    let mut tables = Tables::default();
    tables.claims.next_epoch();
    tables.subscriptions.begin();
    tables
}

fn has_failed(confirmation: Option<Confirmation>) -> bool {
    use tokio::sync::oneshot::error::TryRecvError;
    confirmation.is_some_and(|mut receiver| receiver.try_recv() == Err(TryRecvError::Closed))
}

#[test]
fn an_attach_is_confirmed_and_makes_its_claim_itself() {
    let mut tables = connected();
    let taken = tables.take(&alice(), token(S1));
    assert_eq!(taken.displaced, None);
    assert_eq!(
        tables.subscriptions.take_changes(512),
        [(channel(), Change::Subscribe)]
    );
    assert!(!tables.subscribed("acme/alice"), "the attach makes the claim");
    assert!(taken.confirmation.unwrap().try_recv().is_ok());
    let epoch = tables.claims.epoch();
    assert!(tables.claims.confirm(&alice(), S1, 5, epoch));
    assert!(tables.is_complete());
}

#[test]
fn a_second_session_displaces_the_first_and_its_attach_need_not_wait() {
    let mut tables = connected();
    let first = tables.take(&alice(), token(S1));
    let second = tables.take(&alice(), token(S2));
    assert_eq!(second.displaced, Some(S1));
    assert!(has_failed(first.confirmation));
    assert_eq!(tables.give_up(&alice(), S1, 0), None);
    assert_eq!(
        tables.subscriptions.take_changes(512),
        [(channel(), Change::Subscribe)]
    );
    tables.subscribed("acme/alice");
    assert!(second.confirmation.unwrap().try_recv().is_ok());
    let third = tables.take(&alice(), token(S1));
    assert!(third.confirmation.is_none(), "confirmed already");
    assert_eq!(tables.subscriptions.counts(), (1, 1));
    assert!(tables.give_up(&alice(), S1, 0).is_some());
    assert_eq!(tables.subscriptions.counts(), (0, 0), "one claim is one user");
}

#[test]
fn a_claim_that_an_attach_left_is_made_once_its_subscription_is_confirmed() {
    let mut tables = connected();
    let taken = tables.take(&alice(), token(S1));
    assert!(!tables.leave_to_background(&alice(), S2));
    assert!(tables.leave_to_background(&alice(), S1));
    assert!(has_failed(taken.confirmation));
    tables.subscriptions.take_changes(512);
    assert_eq!(tables.claims_to_make().len(), 0);
    assert!(!tables.is_complete());
    assert!(tables.subscribed("acme/alice"));
    assert_eq!(tables.claims_to_make().len(), 1);
    assert!(tables.claims.confirm(&alice(), S1, 5, tables.claims.epoch()));
    assert!(tables.is_complete());
}

#[test]
fn during_a_pause_claims_are_checked_before_anything_is_subscribed() {
    let mut tables = connected();
    tables.take(&alice(), token(S1));
    tables.claims.confirm(&alice(), S1, 5, 1);
    tables.subscriptions.lost();
    tables.pause();
    tables.subscriptions.begin();
    assert_eq!(tables.subscriptions.take_changes(512), []);
    let due = tables.claims_to_make();
    assert_eq!(due.first().map(|claim| claim.fence), Some(5));
    tables.claims.confirm(&alice(), S1, 5, tables.claims.epoch());
    assert!(!tables.is_complete(), "nothing is subscribed");
    tables.subscriptions.unpause();
    assert_eq!(
        tables.subscriptions.take_changes(512),
        [(channel(), Change::Subscribe)]
    );
    tables.subscribed("acme/alice");
    assert!(tables.is_complete());
}

#[test]
fn a_channel_can_be_subscribed_without_a_claim() {
    let mut tables = connected();
    tables.subscriptions.add_user(&channel());
    tables.subscriptions.take_changes(512);
    assert!(!tables.subscribed("acme/alice"));
    assert_eq!(
        (tables.claims_to_make().len(), tables.subscriptions.counts()),
        (0, (1, 1))
    );
    tables.take(&alice(), token(S1));
    assert!(tables.give_up(&alice(), S1, 0).is_some());
    assert_eq!(
        tables.subscriptions.counts(),
        (1, 1),
        "the other user is still there"
    );
}
