//! The registry: who is found under an address and under an id, whatever the order of attaches and detaches.

use std::sync::{Arc, LazyLock};

use switchboard_protocol::{PeerKey, SessionId};

use super::harness::account;
use crate::{
    PeerAccount, Session,
    session::registry::{MIN_SHARD_CAPACITY, Registry, SHARDS, Superseded, shrink},
};

fn session(name: &str, order: u32) -> Arc<Session> {
    // An account has a whole set of metrics, so thousands of sessions share one.
    static ACCOUNT: LazyLock<Arc<PeerAccount>> = LazyLock::new(|| account("bob"));
    let mut id = [0; 12];
    id[..4].copy_from_slice(&order.to_be_bytes());
    let key = PeerKey::parse(&format!("default/{name}")).unwrap();
    Session::new(
        key,
        SessionId::from_bytes(id),
        u64::from(order),
        0,
        1,
        Arc::clone(&ACCOUNT),
    )
}

fn detach(registry: &Registry, session: &Session) -> bool {
    let was_current = registry.remove(session);
    registry.forget(session);
    was_current
}

fn replaced(registry: &Registry, session: &Arc<Session>) -> Option<SessionId> {
    registry.insert(session).unwrap().map(|older| older.id())
}

fn attached(registry: &Registry) -> Option<SessionId> {
    registry.attached("default/bob").map(|session| session.id())
}

#[test]
fn an_old_session_that_detaches_late_does_not_take_its_successor_with_it() {
    let registry = Registry::new();
    let (old, new) = (session("bob", 1), session("bob", 2));
    assert_eq!(replaced(&registry, &old), None);
    assert_eq!(replaced(&registry, &new), Some(old.id()));
    assert!(!detach(&registry, &old));
    assert!(registry.session(old.id()).is_none());
    assert_eq!(attached(&registry), Some(new.id()));
    assert!(detach(&registry, &new));
    assert_eq!(attached(&registry), None);
    assert!(registry.session(new.id()).is_none());
}

#[test]
fn an_attach_that_was_overtaken_by_a_newer_one_is_refused() {
    let registry = Registry::new();
    let (slow, quick) = (session("bob", 1), session("bob", 2));
    assert_eq!(replaced(&registry, &quick), None);
    assert_eq!(registry.insert(&slow).err(), Some(Superseded));
    assert!(!detach(&registry, &slow));
    assert_eq!(attached(&registry), Some(quick.id()));
}

#[test]
fn a_session_without_an_address_is_found_by_its_id_until_it_is_forgotten() {
    let registry = Registry::new();
    let bob = session("bob", 1);
    assert_eq!(replaced(&registry, &bob), None);
    assert!(registry.remove(&bob));
    assert_eq!(attached(&registry), None);
    assert!(registry.session(bob.id()).is_some());
    registry.forget(&*bob);
    assert!(registry.session(bob.id()).is_none());
}

#[test]
fn an_earlier_connection_of_a_session_does_not_forget_the_newer_one() {
    let registry = Registry::new();
    let earlier = session("bob", 1);
    let newer = Session::new(earlier.key().clone(), earlier.id(), 2, 0, 1, account("bob"));
    assert_eq!(replaced(&registry, &earlier), None);
    assert_eq!(replaced(&registry, &newer), Some(newer.id()));
    assert!(!detach(&registry, &earlier));
    let current = registry.session(newer.id());
    assert!(current.is_some_and(|current| Arc::ptr_eq(&current, &newer)));
}

#[test]
fn a_session_is_attached_only_under_its_own_id() {
    let registry = Registry::new();
    let bob = session("bob", 1);
    assert_eq!(replaced(&registry, &bob), None);
    assert!(registry.attached_session(bob.key(), bob.id()).is_some());
    let other = SessionId::from_bytes([9; 12]);
    assert!(registry.attached_session(bob.key(), other).is_none());
}

#[test]
fn all_and_selected_sessions_are_listed() {
    let registry = Registry::new();
    let sessions: Vec<_> = (0..200)
        .map(|order| session(&format!("p{order}"), order))
        .collect();
    sessions
        .iter()
        .for_each(|session| assert_eq!(replaced(&registry, session), None));
    assert_eq!(registry.all().len(), 200);
    assert_eq!(registry.select(|session| session.order() < 50).len(), 50);
}

#[test]
fn a_node_that_many_peers_left_is_small_again() {
    let registry = Registry::new();
    let sessions: Vec<_> = (0..20_000)
        .map(|order| session(&format!("peer-{order}"), order))
        .collect();
    sessions
        .iter()
        .for_each(|session| assert_eq!(replaced(&registry, session), None));
    let before = registry.capacity();
    assert!(before >= 20_000);
    sessions[..10_000]
        .iter()
        .for_each(|session| assert!(detach(&registry, session)));
    assert!(
        registry.capacity() >= before / 2,
        "half full is no reason to move entries"
    );
    sessions[10_000..]
        .iter()
        .for_each(|session| assert!(detach(&registry, session)));
    let after = registry.capacity();
    assert!(after <= SHARDS * MIN_SHARD_CAPACITY * 2, "room for {after}");
    assert!(after >= SHARDS * MIN_SHARD_CAPACITY, "room for {after}");
}

#[test]
fn no_session_is_newer_than_itself() {
    let (first, second) = (session("bob", 1), session("bob", 2));
    assert!(second.is_newer_than(&first));
    assert!(!first.is_newer_than(&second) && !first.is_newer_than(&first));
}

#[test]
fn a_table_shrinks_below_a_quarter_to_twice_its_entries() {
    let bob = session("bob", 1);
    let mut table = hashbrown::HashMap::with_capacity(448);
    let capacity = table.capacity();
    let quarter = u32::try_from(capacity / 4).unwrap();
    table.extend((0..quarter).map(|number| (number, Arc::clone(&bob))));
    shrink(&mut table);
    assert_eq!(table.capacity(), capacity, "exactly a quarter");
    table.retain(|number, _| *number < 100);
    shrink(&mut table);
    assert!(
        table.len() == 100 && table.capacity() >= 200,
        "{}",
        table.capacity()
    );
    assert!(table.capacity() < capacity, "{}", table.capacity());
}
