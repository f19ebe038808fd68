//! Changes while the nodes hear nothing: every roster is right again afterwards.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard_testkit::{Cluster, PATIENCE, wait_until};

use crate::{
    alone,
    member::{Member, Received, start_all},
    truth::Truth,
};

const MEMBERS: usize = 30;

/// Each is in one of three rooms.
fn room_of(index: usize) -> String {
    format!("r{}", index / 3 % 3)
}

async fn all_join(members: &[Member]) -> Truth {
    let mut truth = Truth::default();
    for (index, member) in members.iter().enumerate() {
        truth.enter(&room_of(index), &member.name);
    }
    let joins = members.iter().enumerate();
    join_all(joins.map(async |(index, member)| member.join(&room_of(index)).await)).await;
    truth
}

async fn resyncs(cluster: &Cluster) -> f64 {
    let mut sum = 0.0;
    for node in &cluster.nodes {
        sum += node.metric("switchboard_room_resyncs_total").await.unwrap();
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_while_the_pubsub_connections_are_killed_reach_every_roster() {
    let _alone = alone().await;
    let cluster = Cluster::start(3).await.unwrap();
    let members = start_all(&cluster, MEMBERS).await;
    let mut truth = all_join(&members).await;
    truth.prevails(&cluster, &members, PATIENCE).await;
    let before = resyncs(&cluster).await;
    for round in 0..5_usize {
        // One of each room moves on to the next room, just as nobody hears it.
        let movers: Vec<_> = (0..3).map(|room| round * 3 % 9 + room).collect();
        let kill = async {
            let kill = ["CLIENT", "KILL", "TYPE", "pubsub"];
            let killed = cluster.redis.command::<u64>(&kill).await.unwrap();
            assert!(killed > 0, "they were back");
        };
        let moves = join_all(movers.iter().map(|&index| {
            let member = &members[index];
            let extra = format!("extra{round}");
            async move {
                member.join(&extra).await;
                member.leave(&room_of(index)).await;
                member.join(&room_of(index)).await;
            }
        }));
        tokio::join!(kill, moves);
        for &index in &movers {
            truth.enter(&format!("extra{round}"), &members[index].name);
        }
        let took = truth.prevails(&cluster, &members, PATIENCE).await;
        println!("round {round}: all agree after {took:?}");
    }
    assert!(resyncs(&cluster).await > before, "rosters were read again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_gets_every_member_again_and_members_hear_a_gap() {
    let _alone = alone().await;
    let cluster = Cluster::start(3).await.unwrap();
    let members = start_all(&cluster, MEMBERS).await;
    let truth = all_join(&members).await;
    truth.prevails(&cluster, &members, PATIENCE).await;
    members.iter().for_each(|one| one.seen().received.clear());
    cluster.redis.restart().await.unwrap();
    let took = truth.prevails(&cluster, &members, Duration::from_secs(20)).await;
    println!("all agree {took:?} after Redis was back, empty");
    let informed = async || {
        let has_received = |one: &Member| one.seen().received.contains(&Received::Joined { gap: true });
        members.iter().all(has_received).then_some(())
    };
    wait_until("all know of the gap", PATIENCE, informed)
        .await
        .unwrap();
    for member in &members {
        let moved = |received: &Received| {
            matches!(
                received,
                Received::PeerJoined(_) | Received::PeerLeft(..) | Received::Left
            )
        };
        assert!(!member.seen().received.iter().any(moved), "nobody moved");
    }
}
