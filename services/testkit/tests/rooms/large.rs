//! Many join one room at once, and a room that is too large for a roster.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard_testkit::{Cluster, PATIENCE, wait_until};
use tokio::time::Instant;

use crate::{
    alone,
    member::{Member, Received, start_all},
    truth::Truth,
};

/// How many join at once.
const STORM: usize = 150;

/// After this, all of them have joined and everybody has the complete roster.
const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn all_who_join_one_room_at_once_have_the_complete_roster_within_five_seconds() {
    let _alone = alone().await;
    let cluster = Cluster::start(3).await.unwrap();
    let members = start_all(&cluster, STORM).await;
    let mut truth = Truth::default();
    members.iter().for_each(|one| truth.enter("storm", &one.name));
    let begin = Instant::now();
    join_all(members.iter().map(|one| one.join("storm"))).await;
    truth.prevails(&cluster, &members, PATIENCE).await;
    let took = begin.elapsed();
    println!("{STORM} have joined and have the roster after {took:?}");
    assert!(took <= WITHIN, "it took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_large_room_hear_its_count_and_its_roster_when_it_is_small_again() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(3, "[limits]\nroster_members = 20\n")
        .await
        .unwrap();
    let mut members = start_all(&cluster, 60).await;
    let begin = Instant::now();
    join_all(members.iter().map(|one| one.join("hall"))).await;
    let count_is = async |count| {
        let counted = async || {
            let knows = |one: &Member| {
                let seen = one.seen();
                let roster = seen.rosters.get("hall").unwrap();
                (roster.count(), roster.members().is_none()) == (count, true)
            };
            members.iter().all(knows).then_some(())
        };
        wait_until("all know the count", PATIENCE, counted).await.unwrap();
    };
    count_is(60).await;
    let seconds = begin.elapsed().as_secs() + 2;
    for member in &members {
        let seen = member.seen();
        let counts = seen
            .received
            .iter()
            .filter(|received| **received == Received::Count)
            .count() as u64;
        assert!(counts <= seconds, "{counts} counts in {seconds} s");
    }
    let leaving = members.split_off(15);
    join_all(leaving.iter().map(|one| one.leave("hall"))).await;
    let mut truth = Truth::default();
    members.iter().for_each(|one| truth.enter("hall", &one.name));
    truth.prevails(&cluster, &members, PATIENCE).await;
}
