//! The subscription table, driven by every order of users and confirmations.

use proptest::prelude::*;
use switchboard_protocol::PeerKey;

use super::*;

fn channel(peer: &str) -> Channel {
    Channel::Peer(PeerKey::parse(peer).unwrap())
}

fn alice() -> Channel {
    channel("acme/alice")
}

const ALICE: ChannelRef<'_> = ChannelRef::Peer("acme/alice");

fn connected() -> SubscriptionTable {
    let mut table = SubscriptionTable::default();
    table.begin();
    table
}

/// A connected table in which alice's channel is confirmed.
fn subscribed() -> SubscriptionTable {
    let mut table = connected();
    table.add_user(&alice());
    table.take_changes(512);
    table.subscribed(ALICE);
    table
}

fn is_confirmed(confirmation: &mut Option<Confirmation>) -> bool {
    confirmation
        .as_mut()
        .is_none_or(|receiver| receiver.try_recv().is_ok())
}

#[test]
fn a_channel_is_subscribed_once_and_confirmed_once() {
    let mut table = connected();
    let mut confirmation = table.add_user(&alice());
    assert!(table.has_changes());
    assert_eq!(table.take_changes(512), [(alice(), Change::Subscribe)]);
    assert!(!table.has_changes());
    assert_eq!(table.take_changes(512), []);
    assert!(!is_confirmed(&mut confirmation));
    assert_eq!((table.counts(), table.in_flight()), ((1, 0), 1));
    table.subscribed(ALICE);
    assert!(is_confirmed(&mut confirmation));
    assert_eq!((table.counts(), table.in_flight()), ((1, 1), 0));
    assert_eq!(table.confirmations(), 1);
}

#[test]
fn a_channel_stays_subscribed_until_its_last_user_is_gone() {
    let mut table = subscribed();
    assert!(table.add_user(&alice()).is_none(), "confirmed already");
    table.remove_user(ALICE);
    assert_eq!((table.take_changes(512), table.counts()), (vec![], (1, 1)));
    table.remove_user(ALICE);
    assert_eq!(table.counts(), (0, 0));
    assert_eq!(table.take_changes(512), [(alice(), Change::Unsubscribe)]);
    table.unsubscribed(ALICE);
    assert_eq!((table.channels.len(), table.in_flight()), (0, 0));
    table.remove_user(ALICE);
    assert_eq!(table.counts(), (0, 0), "no user is no user");
}

#[test]
fn every_user_learns_of_the_confirmation() {
    let mut table = connected();
    let mut first = table.add_user(&alice());
    let mut second = table.add_user(&alice());
    assert_eq!(table.take_changes(512).len(), 1);
    table.subscribed(ALICE);
    assert!(is_confirmed(&mut first) && is_confirmed(&mut second));
    assert!(table.waiters.is_empty());
}

#[test]
fn a_user_that_comes_while_the_channel_is_unsubscribed_has_it_subscribed_again() {
    let mut table = subscribed();
    table.remove_user(ALICE);
    assert_eq!(table.take_changes(512), [(alice(), Change::Unsubscribe)]);
    let mut confirmation = table.add_user(&alice());
    assert_eq!(table.take_changes(512), [], "one command at a time");
    table.unsubscribed(ALICE);
    assert!(!is_confirmed(&mut confirmation));
    assert_eq!(table.take_changes(512), [(alice(), Change::Subscribe)]);
    table.subscribed(ALICE);
    assert!(is_confirmed(&mut confirmation));
    assert_eq!(table.counts(), (1, 1));
}

#[test]
fn a_user_that_goes_before_the_confirmation_has_the_channel_unsubscribed_after_it() {
    let mut table = connected();
    let mut confirmation = table.add_user(&alice());
    table.take_changes(512);
    table.remove_user(ALICE);
    assert!(!is_confirmed(&mut confirmation));
    assert!(confirmation.unwrap().try_recv().is_err(), "nobody waits any more");
    assert_eq!(table.take_changes(512), []);
    table.subscribed(ALICE);
    assert_eq!(table.counts(), (0, 0));
    assert_eq!(table.take_changes(512), [(alice(), Change::Unsubscribe)]);
}

#[test]
fn a_lost_connection_fails_the_waiters_and_the_next_one_subscribes_everything() {
    let mut table = connected();
    let confirmation = table.add_user(&alice());
    table.take_changes(512);
    table.lost();
    assert!(confirmation.unwrap().try_recv().is_err());
    assert!(!table.is_complete() && !table.has_changes());
    assert_eq!(table.in_flight(), 0);
    table.begin();
    assert!(!table.is_complete(), "the backlog is not confirmed");
    assert_eq!(table.take_changes(512), [(alice(), Change::Subscribe)]);
    table.subscribed(ALICE);
    assert!(table.is_complete());
}

#[test]
fn only_the_backlog_of_the_rebuild_keeps_the_table_incomplete() {
    let mut table = connected();
    table.add_user(&alice());
    assert!(table.is_complete(), "a new channel is no backlog");
    table.lost();
    table.begin();
    assert!(!table.is_complete());
    table.remove_user(ALICE);
    assert!(table.is_complete());
}

#[test]
fn a_lost_connection_forgets_channels_without_users() {
    let mut table = subscribed();
    table.remove_user(ALICE);
    table.take_changes(512);
    table.lost();
    assert_eq!((table.channels.len(), table.counts()), (0, (0, 0)));
}

#[test]
fn a_subscription_that_redis_ends_by_itself_is_made_again() {
    let mut table = subscribed();
    table.add_user(&channel("acme/bob"));
    assert_eq!(table.take_changes(512).len(), 1);
    table.unsubscribed(ALICE);
    assert_eq!(table.in_flight(), 1, "bob's is still in flight");
    assert_eq!((table.counts(), table.confirmations()), ((2, 0), 2));
    assert_eq!(table.take_changes(512), [(alice(), Change::Subscribe)]);
}

#[test]
fn a_paused_table_sends_nothing_and_is_not_complete() {
    let mut table = connected();
    table.pause();
    table.add_user(&alice());
    assert!(table.is_paused() && !table.is_complete() && !table.has_changes());
    assert_eq!(table.take_changes(512), []);
    table.unpause();
    assert!(!table.is_paused() && table.is_complete() && table.has_changes());
    assert_eq!(table.take_changes(512), [(alice(), Change::Subscribe)]);
}

#[test]
fn no_more_changes_are_taken_than_asked_for() {
    let mut table = connected();
    for peer in 0..5 {
        table.add_user(&channel(&format!("acme/p{peer}")));
    }
    assert_eq!(table.take_changes(2).len(), 2);
    assert_eq!(table.in_flight(), 2);
    assert_eq!(table.take_changes(512).len(), 3);
}

#[test]
fn a_table_that_empties_gives_its_memory_back() {
    let mut table = SubscriptionTable::default();
    let names: Vec<_> = (0..1_000).map(|peer| channel(&format!("acme/p{peer}"))).collect();
    names.iter().for_each(|channel| drop(table.add_user(channel)));
    let full = table.channels.capacity();
    names.iter().for_each(|channel| table.remove_user(channel.name()));
    assert!(
        table.channels.capacity() < full / 4,
        "{}",
        table.channels.capacity()
    );
}

#[test]
fn an_entry_stays_small() {
    let bytes = size_of::<(Channel, Entry)>();
    assert!(
        bytes <= 32,
        "{bytes} bytes; with its claim, a peer may cost 200 with both tables' slack"
    );
}

/// What Redis would have confirmed, in order.
#[derive(Default)]
struct Server {
    commands: VecDeque<(Channel, Change)>,
    subscribed: std::collections::BTreeSet<String>,
}

impl Server {
    fn confirm_one(&mut self, table: &mut SubscriptionTable) {
        match self.commands.pop_front() {
            Some((channel, Change::Subscribe)) => {
                self.subscribed.insert(text(&channel));
                table.subscribed(channel.name());
            }
            Some((channel, Change::Unsubscribe)) => {
                self.subscribed.remove(&text(&channel));
                table.unsubscribed(channel.name());
            }
            None => {}
        }
    }
}

fn text(channel: &Channel) -> String {
    match channel {
        Channel::Revocations => String::new(),
        Channel::Peer(key) | Channel::Presence(key) => key.to_string(),
        Channel::Room(room) => room.to_string(),
    }
}

proptest! {
    #[test]
    fn in_every_order_the_server_ends_with_exactly_the_channels_that_have_users(
        steps in prop::collection::vec((0_u8..6, 0_u8..3), 0..60)
    ) {
        let mut table = connected();
        let mut server = Server::default();
        let mut users = std::collections::BTreeMap::<String, usize>::new();
        for (step, peer) in steps {
            let channel = channel(&format!("acme/p{peer}"));
            let count = users.entry(text(&channel)).or_default();
            match step {
                0 => { table.add_user(&channel); *count += 1; }
                1 => { table.remove_user(channel.name()); *count = count.saturating_sub(1); }
                2 | 3 => server.commands.extend(table.take_changes(1)),
                4 => server.confirm_one(&mut table),
                _ => { table.lost(); server = Server::default(); table.begin(); }
            }
            users.retain(|_, count| *count > 0);
            prop_assert_eq!(table.counts().0, users.len());
        }
        for _ in 0..200 {
            server.commands.extend(table.take_changes(1));
            server.confirm_one(&mut table);
        }
        let desired: std::collections::BTreeSet<_> = users.into_keys().collect();
        prop_assert_eq!(&server.subscribed, &desired);
        prop_assert_eq!(table.counts(), (desired.len(), desired.len()));
        prop_assert_eq!((table.in_flight(), table.channels.len()), (0, desired.len()));
        prop_assert!(table.waiters.is_empty() && table.is_complete());
    }
}
