//! Peers join and leave rooms at random while a node is killed, and some of its clients never return.

use std::{sync::Mutex, time::Duration};

use futures_util::future::join_all;
use switchboard_testkit::{Cluster, PATIENCE};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    alone, is_long,
    member::{Member, start_all},
    truth::Truth,
};

/// So that members who never return are given up soon, and a killed node is noticed.
const SHORT_WINDOW: &str =
    "[session]\nheartbeat_ms = 1000\nresume_window_s = 3\n[rebalance]\nenabled = false\n";

const PEERS: usize = 300;
const ROOMS: u64 = 50;

/// Those that end together with their node.
const LOST: usize = 20;

/// The time between two changes of one peer, in milliseconds: from this to three times this.
const PAUSE_MS: u64 = 1_000;

/// Numbers that look random and are the same in each run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Joins and leaves until `end`; returns how often.
async fn wander(member: &Member, seed: u64, end: Instant, truth: &Mutex<Truth>) -> usize {
    let mut dice = Dice(seed);
    let mut inside = Vec::new();
    let mut changes = 0;
    loop {
        sleep(Duration::from_millis(PAUSE_MS + dice.below(2 * PAUSE_MS))).await;
        if Instant::now() >= end {
            return changes;
        }
        let room = format!("r{}", dice.below(ROOMS));
        if inside.contains(&room) || inside.len() >= 4 {
            let room = inside.remove(0);
            member.leave(&room).await;
            truth.lock().unwrap().leave(&room, &member.name);
        } else {
            member.join(&room).await;
            truth.lock().unwrap().enter(&room, &member.name);
            inside.push(room);
        }
        changes += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rosters_and_redis_equal_the_truth_fifteen_seconds_after_a_churn_with_a_killed_node() {
    let _alone = alone().await;
    let time = Duration::from_secs(if is_long() { 60 } else { 16 });
    let cluster = Cluster::start_with(3, SHORT_WINDOW).await.unwrap();
    let members = start_all(&cluster, PEERS).await;
    // They are on the node that is killed, each in a room of many.
    let lost: Vec<_> = (0..LOST)
        .map(|index| Member::start(&cluster, 1, &format!("lost{index}")))
        .collect();
    join_all(lost.iter().map(|one| one.join("r0"))).await;
    let truth = Mutex::new(Truth::default());
    let (begin, end) = (Instant::now(), Instant::now() + time);
    let kill = async {
        sleep_until(begin + time / 2).await;
        cluster.nodes[1].kill().await.unwrap();
        drop(lost);
    };
    let wanderers = members.iter().zip(1..);
    let wanderers = join_all(wanderers.map(|(member, seed)| wander(member, seed, end, &truth)));
    let (changes, ()) = tokio::join!(wanderers, kill);
    let changes: usize = changes.into_iter().sum();
    let truth = truth.into_inner().unwrap();
    let took = truth.prevails(&cluster, &members, PATIENCE).await;
    println!(
        "{changes} changes of {} rooms; all agree {took:?} after the last",
        truth.rooms()
    );
    assert!(changes > PEERS, "they moved");
    assert!(truth.rooms() > 40, "most rooms have members");
}
