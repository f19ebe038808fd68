//! Faults between clients and nodes: moves to another node, connections lost at every step of a send.

use std::time::Duration;

use switchboard_client::{AcksBy, Client, ConnectOptions, Resume};
use switchboard_testkit::{Cluster, FaultProxy, Load, LoadPlan, Oracle, PATIENCE, Side, token};
use tokio::time::{Instant, sleep};

use crate::{QUICK_PINGS, alone, check_ok, draw, in_front_of, load_for, urls_of};

/// The longest that a peer may be without a connection when it moves.
const MOST_WITHOUT: Duration = Duration::from_millis(50);

/// Connections that are broken, one after the other.
const BREAKS: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn a_move_to_another_node_goes_on_with_the_session_and_leaves_no_peer_unconnected_for_50_ms() {
    let _alone = alone().await;
    let cluster = Cluster::start(2).await.unwrap();
    let mut options = ConnectOptions::new(cluster.nodes[0].url(), token("alice").unwrap());
    options.acks = AcksBy::Client;
    let mut client = Client::connect(&options).await.unwrap();
    let session = client.welcome().session.clone();
    let mut longest = Duration::ZERO;
    for round in 1..=20 {
        options.url = cluster.nodes[round % 2].url();
        options.resume = Some(Resume {
            token: client.welcome().resume_token.clone(),
            seen: 0,
        });
        let mut old = client;
        let closed = tokio::spawn(async move {
            let _ = old.closed(PATIENCE).await;
            Instant::now()
        });
        client = Client::connect(&options).await.unwrap();
        let welcomed = Instant::now();
        longest = longest.max(welcomed.saturating_duration_since(closed.await.unwrap()));
        let welcome = client.welcome();
        assert!(welcome.resumed && !welcome.gap, "move {round}: {welcome:?}");
        assert_eq!(welcome.session, session);
    }
    println!("from the old connection's close to the new one's welcome: at most {longest:?}");
    assert!(longest <= MOST_WITHOUT, "{longest:?} without a connection");
}

/// Breaks one connection at a step of a send: at any step; before the node has the send; after that, but before its outcome
/// or a message is out; or half open, with one side unaware.
async fn break_one(proxy: &FaultProxy, connection: u64, how: usize, patience: Duration) {
    match how % 5 {
        0 => {}
        1 => {
            proxy.freeze(connection);
            sleep(patience).await;
        }
        2 => {
            proxy.freeze_towards_client(connection);
            sleep(patience).await;
        }
        3 => {
            proxy.half_open(connection, Side::Client);
            return;
        }
        _ => {
            proxy.half_open(connection, Side::Upstream);
            return;
        }
    }
    proxy.cut(connection);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_clients_lost_at_every_step_of_a_send_lose_nothing() {
    let _alone = alone().await;
    let cluster = Cluster::start_with(3, QUICK_PINGS).await.unwrap();
    let proxies = in_front_of(&cluster.nodes).await;
    let urls = urls_of(&proxies);
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: 40,
        every: Duration::from_millis(100),
    };
    let load = Load::start(plan, &oracle, &urls).await.unwrap();
    load_for(0.5).await;
    oracle.fault("connections of clients break, one after the other");
    let mut state = 0x5eed;
    for how in 0..BREAKS {
        let proxy = &proxies[draw(&mut state) % proxies.len()];
        let connections = proxy.connections();
        if let Some(connection) = connections.get(draw(&mut state) % connections.len().max(1)) {
            let patience = Duration::from_millis(u64::try_from(draw(&mut state) % 150).unwrap());
            break_one(proxy, connection.id, how, patience).await;
        }
    }
    oracle.fault("no more of them");
    load_for(7.0).await;
    let report = check_ok(load, &oracle, &cluster).await;
    assert!(report.resumes > BREAKS / 2, "connections were broken");
    assert_eq!(report.gaps, 0, "every session was there to be resumed");
}
