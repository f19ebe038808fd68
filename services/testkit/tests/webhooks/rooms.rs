//! Events of rooms whose members are on several nodes.

use std::sync::atomic::Ordering;

use switchboard_client::Client;
use switchboard_protocol::{Command, Event, JoinCommand};
use switchboard_testkit::{Cluster, PATIENCE, Received, Reply, WebhookReceiver, wait_until};

use crate::{TAKEOVER, hooks, kind, switchable};

const NODES: usize = 3;
const MEMBERS: usize = 9;
const ROUNDS: usize = 3;

async fn members(cluster: &Cluster) -> Vec<Client> {
    let mut members = Vec::new();
    for number in 0..MEMBERS {
        members.push(
            cluster
                .connect(number % NODES, &format!("p{number}"))
                .await
                .unwrap(),
        );
    }
    members
}

pub(crate) async fn join(client: &mut Client, room: &str) {
    let command = Command::Join(JoinCommand {
        room: room.into(),
        info: None,
        id: Some(client.next_id()),
    });
    let answer = client.request(&command, PATIENCE).await.unwrap();
    assert!(matches!(answer, Event::Joined { .. }), "{answer:?}");
}

async fn leave(client: &mut Client, room: &str) {
    let command = Command::Leave {
        room: room.into(),
        id: Some(client.next_id()),
    };
    let answer = client.request(&command, PATIENCE).await.unwrap();
    assert!(matches!(answer, Event::Left { .. }), "{answer:?}");
}

/// What happened to a member in rooms, with the room.
fn visits(events: &[Received], peer: &str) -> Vec<(String, String)> {
    let own = events.iter().filter(|event| event.data("peer") == peer);
    let own = own.filter(|event| !event.data("room").is_empty());
    own.map(|event| (kind(event), event.data("room"))).collect()
}

/// What happened to a room itself.
fn life(events: &[Received], room: &str) -> Vec<String> {
    let own = events
        .iter()
        .filter(|event| event.data("room") == room && event.data("peer").is_empty());
    own.map(kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_all_events_of_rooms_and_those_of_each_member_in_order() {
    let (receiver, is_open) = switchable().await;
    let config = hooks(receiver.address(), "");
    let cluster = Cluster::start_with(NODES, &config).await.unwrap();
    let mut members = members(&cluster).await;
    let churn = members.iter_mut().enumerate().map(|(number, member)| async move {
        for _ in 0..ROUNDS {
            let own = format!("own-{number}");
            for room in ["stage", &own] {
                join(member, room).await;
                leave(member, room).await;
            }
        }
    });
    futures_util::future::join_all(churn).await;
    is_open.store(true, Ordering::Relaxed);
    let complete = async || {
        let events = receiver.events();
        let has_all = |number| {
            let (visits, life) = (
                visits(&events, &format!("p{number}")),
                life(&events, &format!("own-{number}")),
            );
            visits.len() == ROUNDS * 4 && life.len() == ROUNDS * 2
        };
        (0..MEMBERS).all(has_all).then_some(events)
    };
    let (events, _) = wait_until("all events", TAKEOVER, complete).await.unwrap();
    for number in 0..MEMBERS {
        let (peer, own) = (format!("p{number}"), format!("own-{number}"));
        let round = ["stage", &own].into_iter().flat_map(|room| {
            let kinds = ["room.joined", "room.left"];
            kinds.map(|kind| (kind.to_owned(), room.to_owned()))
        });
        let expected: Vec<_> = std::iter::repeat_n(round, ROUNDS).flatten().collect();
        assert_eq!(visits(&events, &peer), expected, "{peer}");
        assert_eq!(
            life(&events, &own),
            ["room.created", "room.ended"].repeat(ROUNDS),
            "{own}"
        );
    }
    let mut left = events.iter().filter(|event| kind(event) == "room.left");
    assert!(left.all(|event| event.data("reason") == "left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_members_on_three_nodes_is_created_once_and_ends_once() {
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(200))
        .await
        .unwrap();
    let config = hooks(receiver.address(), "");
    let cluster = Cluster::start_with(NODES, &config).await.unwrap();
    let mut members = members(&cluster).await;
    for round in 1..=ROUNDS {
        let arrived = async |wanted: &str, count: usize| {
            let enough = async || {
                let events = receiver.events();
                let found = events.iter().filter(|event| kind(event) == wanted).count();
                (found == count).then_some(())
            };
            wait_until(wanted, TAKEOVER, enough).await.unwrap();
        };
        futures_util::future::join_all(members.iter_mut().map(|member| join(member, "stage"))).await;
        arrived("room.joined", round * MEMBERS).await;
        arrived("room.created", round).await;
        futures_util::future::join_all(members.iter_mut().map(|member| leave(member, "stage"))).await;
        arrived("room.left", round * MEMBERS).await;
        arrived("room.ended", round).await;
    }
    assert_eq!(
        life(&receiver.events(), "stage"),
        ["room.created", "room.ended"].repeat(ROUNDS)
    );
}
