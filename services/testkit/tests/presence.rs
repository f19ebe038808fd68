//! Who is online, seen from outside: across nodes, through the death of a node, and through a Redis that comes back empty.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::{Duration, Instant};

use switchboard_client::{Client, ConnectOptions, Resume};
use switchboard_protocol::{ErrorCode, Event, PresenceState, ServerFrame};
use switchboard_testkit::{Cluster, PATIENCE, claims, sign, token};

/// How soon a watcher knows that the node of a peer was killed.
const KILLED_WITHIN: Duration = Duration::from_secs(15);

/// A short resume window, so that its end can be waited for.
const SHORT_WINDOW: &str = "[session]\nresume_window_s = 3\n";

async fn ask(client: &mut Client, command: &str, peers: &[&str]) -> u64 {
    let id = client.next_id();
    let peers: Vec<_> = peers.iter().map(|peer| format!("\"{peer}\"")).collect();
    let text = format!(
        r#"{{"type":"{command}","peers":[{}],"id":{id}}}"#,
        peers.join(",")
    );
    client.send_text(text).await.unwrap();
    id
}

/// The states in the next `presence` with this `id`, in the order of the peers' names.
async fn states(client: &mut Client, id: Option<u64>, within: Duration) -> Vec<PresenceState> {
    let find = |frame: &ServerFrame| match frame {
        ServerFrame::Event(Event::Presence { id: of, peers }) if *of == id => {
            Some(peers.iter().map(|presence| presence.state).collect())
        }
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    };
    client.expect(within, find).await.unwrap()
}

async fn look_up(client: &mut Client, peers: &[&str]) -> Vec<PresenceState> {
    let id = ask(client, "lookup", peers).await;
    states(client, Some(id), PATIENCE).await
}

async fn watch(client: &mut Client, peer: &str) -> PresenceState {
    let id = ask(client, "watch", &[peer]).await;
    states(client, Some(id), PATIENCE).await[0]
}

async fn change(client: &mut Client, within: Duration) -> PresenceState {
    states(client, None, within).await[0]
}

async fn error(client: &mut Client, id: u64) -> ErrorCode {
    let find = |frame: &ServerFrame| match frame {
        ServerFrame::Event(Event::Error {
            id: Some(of), code, ..
        }) if *of == id => Some(*code),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    };
    client.expect(PATIENCE, find).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_follows_a_peer_over_all_nodes_until_its_window_is_over() {
    let cluster = Cluster::start_with(3, SHORT_WINDOW).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    assert_eq!(watch(&mut alice, "bob").await, PresenceState::Offline);
    let bob = cluster.connect(1, "bob").await.unwrap();
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Online);
    let _carol = cluster.connect(0, "carol").await.unwrap();
    assert_eq!(
        look_up(&mut alice, &["bob", "carol", "dave"]).await,
        [
            PresenceState::Online,
            PresenceState::Online,
            PresenceState::Offline
        ]
    );
    let earlier = bob.welcome().resume_token.clone();
    drop(bob);
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Detached);
    let resume = Resume {
        token: earlier,
        seen: 0,
    };
    let options = ConnectOptions {
        resume: Some(resume),
        ..ConnectOptions::new(cluster.nodes[2].url(), token("bob").unwrap())
    };
    let bob = Client::connect(&options).await.unwrap();
    assert!(bob.welcome().resumed);
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Online);
    drop(bob);
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Detached);
    let detached = Instant::now();
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Offline);
    println!("offline {:?} after the connection was lost", detached.elapsed());
    assert!(
        detached.elapsed() < Duration::from_secs(3 + 3),
        "the window, then 3 s"
    );
    let bob = cluster.connect(1, "bob").await.unwrap();
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Online);
    bob.close().await;
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Offline);
    let id = ask(&mut alice, "unwatch", &["bob"]).await;
    assert_eq!(states(&mut alice, Some(id), PATIENCE).await, []);
    let text = cluster.nodes[0].get("/metrics").await.unwrap().body;
    assert!(text.contains("\nswitchboard_watches 0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_knows_within_fifteen_seconds_that_a_node_was_killed_and_hears_the_end() {
    let cluster = Cluster::start_with(2, SHORT_WINDOW).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let _bob = cluster.connect(1, "bob").await.unwrap();
    assert_eq!(watch(&mut alice, "bob").await, PresenceState::Online);
    let killed = Instant::now();
    cluster.nodes[1].kill().await.unwrap();
    assert_eq!(change(&mut alice, KILLED_WITHIN).await, PresenceState::Detached);
    println!("detached {:?} after the kill", killed.elapsed());
    assert!(killed.elapsed() < KILLED_WITHIN);
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Offline);
    println!("offline {:?} after the kill", killed.elapsed());
    assert_eq!(look_up(&mut alice, &["bob"]).await, [PresenceState::Offline]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_learns_what_happened_while_redis_was_away_and_lost_everything() {
    let cluster = Cluster::start(2).await.unwrap();
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let (bob, carol) = (
        cluster.connect(1, "bob").await.unwrap(),
        cluster.connect(1, "carol").await.unwrap(),
    );
    let _dave = cluster.connect(0, "dave").await.unwrap();
    assert_eq!(watch(&mut alice, "bob").await, PresenceState::Online);
    assert_eq!(watch(&mut alice, "carol").await, PresenceState::Online);
    for server in cluster.redis.servers() {
        server.kill().await.unwrap();
    }
    bob.close().await;
    let id = ask(&mut alice, "lookup", &["bob"]).await;
    assert_eq!(error(&mut alice, id).await, ErrorCode::BusUnavailable);
    assert_eq!(look_up(&mut alice, &["dave"]).await, [PresenceState::Online]);
    for server in cluster.redis.servers() {
        server.restart().await.unwrap();
    }
    // Bob's state alone: carol's record was lost and written again.
    let find = |frame: &ServerFrame| match frame {
        ServerFrame::Event(Event::Presence { id: None, peers }) => Some(peers[0].clone()),
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    };
    let changed = alice.expect(PATIENCE * 2, find).await.unwrap();
    assert_eq!(
        (changed.peer.as_str(), changed.state),
        ("bob", PresenceState::Offline)
    );
    carol.close().await;
    assert_eq!(change(&mut alice, PATIENCE).await, PresenceState::Offline);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_learns_nothing_of_those_it_may_not_send_to_or_of_another_tenant() {
    let cluster = Cluster::start(1).await.unwrap();
    let mut claims_of_alice = claims("alice");
    claims_of_alice.switchboard.send = Some(vec!["b*".into()]);
    let options = ConnectOptions::new(cluster.nodes[0].url(), sign(&claims_of_alice).unwrap());
    let mut alice = Client::connect(&options).await.unwrap();
    let mut foreign = claims("bert");
    foreign.tenant = Some("other".into());
    let options = ConnectOptions::new(cluster.nodes[0].url(), sign(&foreign).unwrap());
    let _foreign = Client::connect(&options).await.unwrap();
    let _carol = cluster.connect(0, "carol").await.unwrap();
    for command in ["lookup", "watch"] {
        let id = ask(&mut alice, command, &["bert", "carol"]).await;
        assert_eq!(error(&mut alice, id).await, ErrorCode::NotAllowed);
    }
    assert_eq!(look_up(&mut alice, &["bert"]).await, [PresenceState::Offline]);
}
