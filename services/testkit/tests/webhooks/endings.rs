//! The end of a session: after its resume window, and after the death of its node.

use std::time::{Duration, Instant};

use switchboard_testkit::{Cluster, Received, Reply, WebhookReceiver, wait_until};

use crate::{TAKEOVER, hooks, kind, kinds_of, rooms::join, visit};

/// How long a session can be resumed here, in seconds.
const WINDOW_S: u64 = 3;

/// A node's death is noticed, its sessions end after their window, and another node takes over its events.
const KILLED_WITHIN: Duration = Duration::from_secs(60);

async fn start(nodes: usize) -> (WebhookReceiver, Cluster) {
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(200))
        .await
        .unwrap();
    let config = format!(
        "[session]\nresume_window_s = {WINDOW_S}\n{}",
        hooks(receiver.address(), "")
    );
    let cluster = Cluster::start_with(nodes, &config).await.unwrap();
    (receiver, cluster)
}

/// Waits until the receiver has an event of this kind about `peer`; all events then.
async fn until(receiver: &WebhookReceiver, peer: &str, wanted: &str, within: Duration) -> Vec<Received> {
    let arrived = async || {
        let events = receiver.events();
        kinds_of(&events, peer)
            .iter()
            .any(|kind| kind == wanted)
            .then_some(events)
    };
    wait_until(&format!("{wanted} of {peer}"), within, arrived)
        .await
        .unwrap()
        .0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_disconnected_when_its_resume_window_is_over_and_not_when_it_came_back() {
    let (receiver, cluster) = start(2).await;
    // Carol comes back to another node in time.
    let earlier = visit(&cluster.nodes[0], "carol", None).await;
    let options = switchboard_client::ConnectOptions {
        resume: Some(switchboard_client::Resume {
            token: earlier,
            seen: 0,
        }),
        ..switchboard_client::ConnectOptions::new(
            cluster.nodes[1].url(),
            switchboard_testkit::token("carol").unwrap(),
        )
    };
    let carol = switchboard_client::Client::connect(&options).await.unwrap();
    assert!(carol.welcome().resumed);
    let began = Instant::now();
    visit(&cluster.nodes[0], "bob", None).await;
    let events = until(&receiver, "bob", "peer.disconnected", TAKEOVER).await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(WINDOW_S), "{waited:?}");
    assert_eq!(
        kinds_of(&events, "bob"),
        ["peer.connected", "peer.detached", "peer.disconnected"]
    );
    let sessions = events.iter().filter(|event| event.data("peer") == "bob");
    let mut sessions: Vec<_> = sessions.map(|event| event.data("session")).collect();
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "all three are about one session");
    let of_carol = kinds_of(&events, "carol");
    assert!(
        !of_carol.contains(&"peer.disconnected".to_owned()),
        "{of_carol:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_of_a_killed_node_leave_their_rooms_and_are_disconnected() {
    let (receiver, cluster) = start(2).await;
    let mut alice = cluster.connect(0, "alice").await.unwrap();
    let mut bob = cluster.connect(1, "bob").await.unwrap();
    join(&mut alice, "stage").await;
    join(&mut bob, "stage").await;
    // What the node reports before its death is in Redis.
    until(&receiver, "bob", "room.joined", TAKEOVER).await;
    cluster.nodes[1].kill().await.unwrap();
    let killed = Instant::now();
    until(&receiver, "bob", "room.left", KILLED_WITHIN).await;
    println!("room.left {:?} after the kill", killed.elapsed());
    let events = until(&receiver, "bob", "peer.disconnected", KILLED_WITHIN).await;
    println!("peer.disconnected {:?} after the kill", killed.elapsed());
    let of_bob = kinds_of(&events, "bob");
    assert_eq!(of_bob[..2], ["peer.connected", "room.joined"]);
    assert!(
        !of_bob.contains(&"peer.detached".to_owned()),
        "nobody was there to say so: {of_bob:?}"
    );
    let left: Vec<_> = events.iter().filter(|event| kind(event) == "room.left").collect();
    assert_eq!(left.len(), 1, "{of_bob:?}");
    assert_eq!(
        (left[0].data("peer"), left[0].data("room"), left[0].data("reason")),
        ("bob".into(), "stage".into(), "lost".into())
    );
    assert!(
        !events.iter().any(|event| kind(event) == "room.ended"),
        "alice is still there"
    );
}
