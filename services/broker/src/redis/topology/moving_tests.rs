//! Partitions move between three shards at random while peers come and go: at the end each shard has exactly what belongs to
//! its partitions.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use switchboard_core::{RoomEntry, RoomLeave, RoomMember};
use switchboard_protocol::{LeaveReason, MemberState, PeerId, PeerKey, RoomKey};

use super::*;
use crate::{
    partition::Partition,
    redis::{
        command::room_call::RoomCall,
        shard::{
            fixture::{Fixture, session, token},
            tables::{Change, ChannelRef},
        },
        topology::table::{Routes, Topology},
    },
};

const NAMES: usize = 24;

#[derive(Debug, Clone)]
enum Step {
    Attach(usize, u8),
    Detach(usize),
    Enter(usize),
    Forget(usize),
    Watch(usize),
    Unwatch(usize),
    /// A shard confirms what was sent to it, and sends the due changes.
    Confirm(usize),
    Reconnect(usize),
    /// Each partition gets the shard that this number gives it.
    Move(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES;
    let step = prop_oneof![
        4 => (name.clone(), 1_u8..9).prop_map(|(name, number)| Step::Attach(name, number)),
        2 => name.clone().prop_map(Step::Detach),
        2 => name.clone().prop_map(Step::Enter),
        1 => name.clone().prop_map(Step::Forget),
        2 => name.clone().prop_map(Step::Watch),
        1 => name.prop_map(Step::Unwatch),
        4 => (0..3_usize).prop_map(Step::Confirm),
        1 => (0..3_usize).prop_map(Step::Reconnect),
        2 => any::<u64>().prop_map(Step::Move),
    ];
    proptest::collection::vec(step, 1..120)
}

fn peer(name: usize) -> PeerKey {
    PeerKey::parse(&format!("acme/p{name}")).unwrap()
}

fn room(name: usize) -> RoomKey {
    RoomKey::parse(&format!("acme/r{name}")).unwrap()
}

fn of(name: &str) -> Partition {
    Partition::of(name)
}

/// What should be there.
#[derive(Default)]
struct Wanted {
    owners: BTreeMap<usize, u8>,
    rooms: BTreeSet<usize>,
    watched: BTreeMap<usize, u32>,
    waiting: Vec<(usize, u8, crate::redis::shard::tables::Confirmation)>,
}

struct Scene {
    shards: Vec<Fixture>,
    topology: Arc<Topology>,
    /// Subscriptions and their ends on their way, for each shard.
    sent: Vec<Vec<(Channel, Change)>>,
}

impl Scene {
    fn new() -> Self {
        let shards: Vec<Fixture> = (0..3).map(|_| Fixture::new()).collect();
        let all: Vec<_> = shards.iter().map(|fixture| Arc::clone(&fixture.shard)).collect();
        let first = Arc::clone(&all[0]);
        let topology = Topology::new(Routes::new(all, Arc::clone(&first), |_| Arc::clone(&first)));
        Self {
            shards,
            topology,
            sent: vec![Vec::new(); 3],
        }
    }

    fn move_partitions(&self, seed: u64) {
        let shard = |number: u64| Arc::clone(&self.shards[(number % 3) as usize].shard);
        let all = self
            .shards
            .iter()
            .map(|fixture| Arc::clone(&fixture.shard))
            .collect();
        let ended = self.topology.apply(Routes::new(all, shard(seed), |partition| {
            shard((partition.index() as u64).wrapping_mul(seed | 1) >> 7)
        }));
        assert!(ended.is_empty());
    }

    fn confirm(&mut self, index: usize) {
        let mut tables = self.shards[index].shard.tables.lock();
        for (channel, change) in std::mem::take(&mut self.sent[index]) {
            match (change, channel.name()) {
                (Change::Subscribe, ChannelRef::Room(room)) => drop(tables.room_subscribed(room)),
                (Change::Subscribe, name) => tables.subscriptions.subscribed(name),
                (Change::Unsubscribe, name) => {
                    tables.subscriptions.unsubscribed(name);
                }
            }
        }
        self.sent[index] = tables.subscriptions.take_changes(usize::MAX);
    }

    fn reconnect(&mut self, index: usize) {
        self.sent[index].clear();
        let mut tables = self.shards[index].shard.tables.lock();
        tables.subscriptions.lost();
        tables.subscriptions.begin();
        tables.next_epoch();
    }

    fn settle(&mut self) {
        for index in 0..3 {
            self.confirm(index);
            while !self.sent[index].is_empty() {
                self.confirm(index);
            }
        }
    }

    fn run(&mut self, step: Step, wanted: &mut Wanted) {
        match step {
            Step::Attach(name, number) => {
                let key = peer(name);
                let taken = self
                    .topology
                    .at(of(key.as_str()), |_, tables| tables.take(&key, token(number)));
                wanted.owners.insert(name, number);
                wanted.waiting.extend(
                    taken
                        .confirmation
                        .map(|confirmation| (name, number, confirmation)),
                );
            }
            Step::Detach(name) => {
                let key = peer(name);
                let owner = wanted.owners.remove(&name);
                let gave_up = owner.is_some_and(|number| {
                    let give_up = |_: &Shard, tables: &mut Tables| tables.give_up(&key, session(number), 0);
                    self.topology.at(of(key.as_str()), give_up).is_some()
                });
                assert_eq!(gave_up, owner.is_some());
            }
            Step::Enter(name) => {
                let room = room(name);
                let member = RoomMember {
                    peer: PeerId::new("bob").unwrap(),
                    session: session(1),
                    info: None,
                    state: MemberState::Online,
                };
                let call = RoomCall::Unlist(room.clone());
                self.topology.at(of(room.as_str()), |_, tables| {
                    tables.enter_room(&room, member, call)
                });
                wanted.rooms.insert(name);
            }
            Step::Forget(name) => {
                let room = room(name);
                self.topology.at(of(room.as_str()), |_, tables| {
                    tables.rooms.leave(&RoomLeave {
                        room: room.clone(),
                        peer: PeerId::new("bob").unwrap(),
                        entry: RoomEntry::Any,
                        reason: LeaveReason::Left,
                    });
                    tables.forget_room(&room);
                    tables.rooms.remove_if_over(&room);
                });
                wanted.rooms.remove(&name);
            }
            Step::Watch(name) => {
                let channel = Channel::Presence(peer(name));
                let partition = channel.partition().unwrap();
                self.topology
                    .at(partition, |_, tables| tables.subscriptions.count_user(&channel));
                *wanted.watched.entry(name).or_default() += 1;
            }
            Step::Unwatch(name) => {
                let key = peer(name);
                if let Some(users) = wanted.watched.get_mut(&name).filter(|users| **users > 0) {
                    *users -= 1;
                    let channel = ChannelRef::Presence(key.as_str());
                    self.topology.at(of(key.as_str()), |_, tables| {
                        tables.subscriptions.remove_user(channel)
                    });
                }
            }
            Step::Confirm(index) => self.confirm(index),
            Step::Reconnect(index) => self.reconnect(index),
            Step::Move(seed) => self.move_partitions(seed),
        }
    }

    fn check(&self, mut wanted: Wanted) {
        let watched = || {
            wanted
                .watched
                .iter()
                .filter(|(_, users)| **users > 0)
                .map(|(name, _)| *name)
        };
        let (mut desired, mut claims, mut rooms, mut owned) = (0, 0, 0, 0);
        for fixture in &self.shards {
            let tables = fixture.shard.tables.lock();
            let (here, confirmed) = tables.subscriptions.counts();
            assert_eq!(here, confirmed, "everything is confirmed");
            desired += here;
            let served = fixture.shard.served.set();
            claims += tables.claims.len();
            rooms += tables.rooms.len();
            let keys = wanted.owners.iter().map(|(name, number)| (peer(*name), *number));
            for (key, number) in keys.filter(|(key, _)| served.contains(of(key.as_str()))) {
                assert!(
                    tables.claims.is_owner(&key, session(number)),
                    "{key} is on its shard"
                );
                assert!(tables.subscriptions.is_confirmed(ChannelRef::Peer(key.as_str())));
                owned += 1;
            }
            for key in watched()
                .map(peer)
                .filter(|key| served.contains(of(key.as_str())))
            {
                assert!(
                    tables
                        .subscriptions
                        .is_confirmed(ChannelRef::Presence(key.as_str()))
                );
            }
            let revocations = tables.subscriptions.is_confirmed(ChannelRef::Revocations);
            assert_eq!(
                revocations,
                Arc::ptr_eq(&fixture.shard, &self.topology.shard_of_nodes())
            );
        }
        let people = wanted.owners.len();
        assert_eq!(
            (claims, owned, rooms),
            (people, people, wanted.rooms.len()),
            "nothing twice"
        );
        assert_eq!(desired, people + wanted.rooms.len() + watched().count());
        for (name, number, mut confirmation) in wanted.waiting.drain(..) {
            if wanted.owners.get(&name) == Some(&number) {
                // It was confirmed, or a lost connection or a later session of the same number ended the wait.
                let outcome = confirmation.try_recv();
                assert_ne!(outcome, Err(tokio::sync::oneshot::error::TryRecvError::Empty));
            }
        }
    }
}

proptest! {
    #[test]
    fn partitions_move_under_peers_and_each_shard_ends_with_exactly_its_own(steps in steps()) {
        let mut scene = Scene::new();
        let mut wanted = Wanted::default();
        for step in steps {
            scene.run(step, &mut wanted);
        }
        scene.settle();
        scene.check(wanted);
    }
}

/// A number that gives the partition to the second shard.
fn seed_for_the_second(partition: Partition) -> u64 {
    let mut seeds = 1..10_000_u64;
    let seed = seeds.find(|seed| ((partition.index() as u64 * (seed | 1)) >> 7) % 3 == 1);
    seed.unwrap()
}

#[test]
fn a_claim_that_moves_is_made_again_and_a_confirmation_of_before_does_not_count() {
    let scene = Scene::new();
    let key = peer(1);
    let partition = of(key.as_str());
    let epoch = scene.topology.at(partition, |_, tables| {
        tables.take(&key, token(1));
        tables.claims.epoch()
    });
    scene.move_partitions(seed_for_the_second(partition));
    assert!(Arc::ptr_eq(
        &scene.topology.shard_of(partition),
        &scene.shards[1].shard
    ));
    // The answer from the old shard.
    let is_owner = scene.shards[0].shard.at(partition, |_, tables| {
        tables.claims.confirm(&key, session(1), 7, epoch)
    });
    assert!(is_owner);
    let tables = scene.shards[1].shard.tables.lock();
    assert!(
        tables.claims.is_due(key.as_str()),
        "it is written on its new shard, too"
    );
    assert_eq!(tables.claims.list_confirmed()[0].fence, 7);
}

#[test]
fn what_waited_for_redis_moves_too() {
    let scene = Scene::new();
    let key = peer(1);
    let partition = of(key.as_str());
    scene.shards[0]
        .shard
        .pending
        .add_release(crate::redis::claim::Release {
            key,
            session: session(1),
            fence: 1,
            retention: None,
        });
    scene.move_partitions(seed_for_the_second(partition));
    let releases = |index: usize| scene.shards[index].shard.pending.take().releases.len();
    assert_eq!((releases(0), releases(1)), (0, 1));
}
