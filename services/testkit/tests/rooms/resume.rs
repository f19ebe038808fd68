//! A member changes its node: by a resume, by a drain, or because the node was killed. Others hear nothing of it.

use std::collections::BTreeSet;

use switchboard_client::{Client, ConnectOptions, Resume};
use switchboard_protocol::{Command, Event, JoinCommand, Joined, ServerFrame};
use switchboard_testkit::{Cluster, PATIENCE, token, wait_until};

use crate::{
    alone,
    member::{Member, Received, start_all},
    truth::Truth,
};

const QUICK_PINGS: &str = "[session]\nheartbeat_ms = 1000\n[rebalance]\nenabled = false\n";

/// All of `members` are in one room, and each knows it. What they have received so far is forgotten.
async fn all_in_one_room(cluster: &Cluster, members: &[Member]) -> Truth {
    let mut truth = Truth::default();
    for member in members {
        member.join("room").await;
        truth.enter("room", &member.name);
    }
    truth.prevails(cluster, members, PATIENCE).await;
    members.iter().for_each(|one| one.seen().received.clear());
    truth
}

/// A newcomer joins. When everybody has received that, they have received everything before it, and that was nobody else.
async fn received_no_move_of_others(cluster: &Cluster, members: &[Member], mut truth: Truth) {
    let last = Member::start(cluster, 2, "last");
    last.join("room").await;
    truth.enter("room", "last");
    truth.prevails(cluster, members, PATIENCE).await;
    for member in members {
        let seen = member.seen();
        let others = seen.received.iter().filter(|received| match received {
            Received::PeerJoined(peer) => peer != "last",
            Received::PeerLeft(..) | Received::Left => true,
            Received::Joined { .. } | Received::Count => false,
        });
        let others: Vec<_> = others.collect();
        assert!(others.is_empty(), "{} received {others:?}", member.name);
    }
}

fn joined_unasked(frame: &ServerFrame) -> Option<Joined> {
    match frame {
        ServerFrame::Event(Event::Joined(joined)) if joined.id.is_none() => Some((**joined).clone()),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_on_another_node_keeps_the_rooms_and_others_hear_no_pair() {
    let _alone = alone().await;
    let cluster = Cluster::start(3).await.unwrap();
    let members = start_all(&cluster, 6).await;
    let mut truth = all_in_one_room(&cluster, &members).await;
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let id = Some(alice.next_id());
    let join = Command::Join(JoinCommand {
        room: "room".into(),
        info: None,
        id,
    });
    alice.request(&join, PATIENCE).await.unwrap();
    for index in [1, 2, 0] {
        let token_of_session = alice.welcome().resume_token.clone();
        drop(alice);
        let options = ConnectOptions {
            resume: Some(Resume {
                token: token_of_session,
                seen: 0,
            }),
            ..ConnectOptions::new(cluster.nodes[index].url(), token("alice").unwrap())
        };
        alice = Client::connect(&options).await.unwrap();
        assert!(alice.welcome().resumed);
        let joined = alice.expect(PATIENCE, joined_unasked).await.unwrap();
        assert_eq!((joined.room.as_str(), joined.count), ("room", 7));
    }
    alice.close().await;
    truth.leave("room", "alice");
    // Her entry and her leaving alone, however she moved.
    let expected = [
        Received::PeerJoined("alice".into()),
        Received::PeerLeft("alice".into(), "left"),
    ];
    for member in &members {
        let whole = async || (member.seen().received.last() == expected.last()).then_some(());
        wait_until("alice has left", PATIENCE, whole).await.unwrap();
        assert_eq!(member.seen().received, expected, "{}", member.name);
    }
    truth.prevails(&cluster, &members, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_moves_members_and_nobody_hears_them_leave() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(3, QUICK_PINGS).await.unwrap();
    let members = start_all(&cluster, 30).await;
    let truth = all_in_one_room(&cluster, &members).await;
    cluster.nodes[0].drain().await.unwrap();
    let left = async || {
        let stays = |one: &Member| one.seen().node.as_deref().is_none_or(|node| node == "n1");
        (!members.iter().any(stays)).then_some(())
    };
    wait_until("everybody has left n1", PATIENCE, left).await.unwrap();
    received_no_move_of_others(&cluster, &members, truth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_killed_node_return_elsewhere_and_nobody_hears_them_leave() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(3, QUICK_PINGS).await.unwrap();
    let members = start_all(&cluster, 30).await;
    let truth = all_in_one_room(&cluster, &members).await;
    cluster.nodes[0].kill().await.unwrap();
    // The sweep of the dead node comes after at most 15 s, and finds nobody.
    let swept = async || {
        let keys = cluster.redis.command::<Vec<String>>(&["KEYS", "sb:{*}:i:*"]);
        let keys = keys.await.unwrap();
        let runs = keys.iter().filter_map(|key| key.rsplit(':').next());
        let runs: BTreeSet<_> = runs.collect();
        (runs.len() == 2).then_some(())
    };
    let (_, took) = wait_until("the dead node is swept", PATIENCE, swept)
        .await
        .unwrap();
    println!("the dead node was swept {took:?} after its end");
    received_no_move_of_others(&cluster, &members, truth).await;
}
