//! The state machine of `desired`, driven by every order of wishes and confirmations.

use proptest::prelude::*;

use super::*;

const S1: SessionId = SessionId::from_bytes([1; 12]);
const S2: SessionId = SessionId::from_bytes([2; 12]);

fn token(session: SessionId) -> ResumeToken {
    ResumeToken::new(session, [0; 16])
}

fn alice() -> PeerKey {
    PeerKey::parse("acme/alice").unwrap()
}

fn connected() -> Desired {
    let mut desired = Desired::default();
    desired.next_epoch();
    desired.begin();
    desired
}

fn is_confirmed(wanted: &mut Wanted) -> bool {
    wanted
        .confirmation
        .as_mut()
        .is_none_or(|receiver| receiver.try_recv().is_ok())
}

#[test]
fn a_wish_is_sent_once_and_confirmed_once() {
    let mut desired = connected();
    let mut wanted = desired.want(&alice(), token(S1));
    assert_eq!(desired.take_changes(512), [(alice(), Change::Subscribe)]);
    assert_eq!(desired.take_changes(512), []);
    assert!(!is_confirmed(&mut wanted));
    assert!(!desired.subscribed("acme/alice"), "its attach is at the claim");
    assert!(is_confirmed(&mut wanted));
    assert_eq!((desired.counts(), desired.outstanding()), ((1, 1), 0));
}

#[test]
fn an_attach_right_after_a_detach_ends_subscribed() {
    let mut desired = connected();
    desired.want(&alice(), token(S1));
    desired.take_changes(512);
    desired.subscribed("acme/alice");
    desired.unwant(&alice(), S1);
    assert_eq!(desired.take_changes(512), [(alice(), Change::Unsubscribe)]);
    let mut wanted = desired.want(&alice(), token(S2));
    assert_eq!(desired.take_changes(512), [], "one command at a time");
    desired.unsubscribed("acme/alice");
    assert!(!is_confirmed(&mut wanted));
    assert_eq!(desired.take_changes(512), [(alice(), Change::Subscribe)]);
    desired.subscribed("acme/alice");
    assert!(is_confirmed(&mut wanted));
    assert_eq!(desired.counts(), (1, 1));
}

#[test]
fn a_detach_of_an_old_session_changes_nothing() {
    let mut desired = connected();
    desired.want(&alice(), token(S1));
    assert_eq!(desired.want(&alice(), token(S2)).displaced, Some(S1));
    assert_eq!(desired.unwant(&alice(), S1), None);
    assert!(!desired.claimed(&alice(), S1, 7, 1));
    assert!(desired.claimed(&alice(), S2, 8, 1));
    assert_eq!(desired.unwant(&alice(), S2), Some(8));
    assert_eq!(desired.counts(), (0, 0));
}

#[test]
fn a_lost_connection_tells_those_who_wait_and_the_next_one_subscribes_everything() {
    let mut desired = connected();
    let mut wanted = desired.want(&alice(), token(S1));
    desired.take_changes(512);
    desired.lost();
    assert!(!is_confirmed(&mut wanted));
    assert!(desired.leave(&alice(), S1));
    assert!(!desired.is_complete());
    desired.begin();
    assert_eq!(desired.take_changes(512), [(alice(), Change::Subscribe)]);
    assert!(
        desired.subscribed("acme/alice"),
        "nobody waits, so the background claims"
    );
    assert_eq!(desired.to_claim().len(), 1);
    assert!(desired.claimed(&alice(), S1, 5, desired.epoch()));
    assert!(desired.is_complete());
}

#[test]
fn a_subscription_that_redis_ends_by_itself_is_made_again() {
    let mut desired = connected();
    desired.want(&alice(), token(S1));
    desired.take_changes(512);
    desired.subscribed("acme/alice");
    desired.unsubscribed("acme/alice");
    assert_eq!(desired.take_changes(512), [(alice(), Change::Subscribe)]);
}

#[test]
fn with_a_hold_claims_are_checked_before_anything_is_subscribed() {
    let mut desired = connected();
    desired.want(&alice(), token(S1));
    desired.claimed(&alice(), S1, 5, 1);
    desired.lost();
    desired.hold();
    desired.begin();
    assert_eq!(desired.take_changes(512), []);
    let due = desired.to_claim();
    assert_eq!(due.first().map(|holding| holding.fence), Some(5));
    desired.claimed(&alice(), S1, 5, desired.epoch());
    desired.release_hold();
    assert_eq!(desired.take_changes(512), [(alice(), Change::Subscribe)]);
}

#[test]
fn an_entry_stays_small() {
    let bytes = size_of::<(PeerKey, Entry)>();
    assert!(
        bytes <= 80,
        "{bytes} bytes; a peer may cost 200 with the table's slack"
    );
}

/// What Redis would have confirmed, in order.
#[derive(Default)]
struct Server {
    said: VecDeque<(PeerKey, Change)>,
    subscribed: std::collections::BTreeSet<String>,
}

impl Server {
    fn confirm_one(&mut self, desired: &mut Desired) {
        match self.said.pop_front() {
            Some((key, Change::Subscribe)) => {
                self.subscribed.insert(key.to_string());
                desired.subscribed(key.as_str());
            }
            Some((key, Change::Unsubscribe)) => {
                self.subscribed.remove(key.as_str());
                desired.unsubscribed(key.as_str());
            }
            None => {}
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_order_the_server_ends_with_exactly_what_is_wanted(
        steps in prop::collection::vec((0_u8..6, 0_u8..3), 0..60)
    ) {
        let mut desired = connected();
        let mut server = Server::default();
        let mut wanted = std::collections::BTreeSet::new();
        for (step, peer) in steps {
            let key = PeerKey::parse(&format!("acme/p{peer}")).unwrap();
            match step {
                0 => { desired.want(&key, token(S1)); wanted.insert(key.to_string()); }
                1 => { desired.unwant(&key, S1); wanted.remove(key.as_str()); }
                2 | 3 => server.said.extend(desired.take_changes(1)),
                4 => server.confirm_one(&mut desired),
                _ => { desired.lost(); server = Server::default(); desired.begin(); }
            }
            prop_assert_eq!(desired.counts().0, wanted.len());
        }
        for _ in 0..200 {
            server.said.extend(desired.take_changes(1));
            server.confirm_one(&mut desired);
        }
        prop_assert_eq!(&server.subscribed, &wanted);
        prop_assert_eq!(desired.counts(), (wanted.len(), wanted.len()));
        prop_assert_eq!((desired.outstanding(), desired.peers.len()), (0, wanted.len()));
    }
}
