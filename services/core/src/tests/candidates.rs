//! Which clients a node asks to move, by the clock of the node. Not how many (`rebalance`).

use std::time::Duration;

use switchboard_telemetry::Goaway;

use super::harness::*;
use crate::{Attachment, MaxAge};

const QUIET: Duration = Duration::from_secs(5);

const GOAWAY: &str = r#"{"type":"goaway","reason":"rebalancing","reconnect_after_ms":0}"#;

fn pass(node: &Node, seconds: u64) {
    node.pass(Duration::from_secs(seconds));
}

fn asked(node: &Node, count: usize) -> Vec<String> {
    let peers = node.router.rebalance().candidates(count, QUIET);
    for peer in &peers {
        node.router.rebalance().ask_to_move(peer, Goaway::Rebalance);
    }
    peers.iter().map(|peer| peer.key().peer().to_string()).collect()
}

fn aged(node: &Node, age: MaxAge, count: usize) -> usize {
    let peers = node.router.rebalance().over_age(age, count);
    for peer in &peers {
        node.router.rebalance().ask_to_move(peer, Goaway::Age);
    }
    peers.len()
}

#[test]
fn the_quiet_are_asked_first_and_of_these_the_longest_connected() {
    let node = Node::new("n1");
    let names = ["ann", "bob", "cid", "dan", "eve"];
    let all = names.map(|name| node.attach(name));
    pass(&node, 60);
    node.send(&all[0], "cid", 1, "{}");
    assert_eq!(asked(&node, 1), ["bob"]);
    assert_eq!(asked(&node, 3), ["dan", "eve", "ann"]);
    assert_eq!(asked(&node, 9), ["cid"]);
    assert_eq!(write(&all[1]), [GOAWAY]);
}

#[test]
fn nobody_is_asked_again_for_five_minutes_and_counts_as_recently_asked_for_ten_seconds() {
    let node = Node::new("n1");
    let _all = ["ann", "bob"].map(|name| node.attach(name));
    assert_eq!(asked(&node, 9).len(), 2);
    assert_eq!(node.router.rebalance().recently_asked(), 2);
    pass(&node, 10);
    assert_eq!(node.router.rebalance().recently_asked(), 0);
    assert_eq!(asked(&node, 9).len(), 0);
    pass(&node, 290);
    assert_eq!(asked(&node, 0).len(), 0);
    assert_eq!(asked(&node, 9).len(), 2);
}

#[test]
fn a_connection_that_has_reached_its_age_is_asked_once_and_closed_a_minute_later() {
    let node = Node::new("n1");
    let age = MaxAge {
        max: Duration::from_secs(600),
        jitter: 0.0,
    };
    let ann = node.attach("ann");
    pass(&node, 400);
    let bob = node.attach("bob");
    // That one is asked to make room is no reason to close it when its time comes.
    assert_eq!(asked(&node, 1), ["ann"]);
    assert_eq!(aged(&node, age, 9), 0);
    pass(&node, 201);
    assert_eq!(aged(&node, age, 0), 0, "nobody may be asked now");
    assert_eq!(aged(&node, age, 9), 1);
    assert_eq!(aged(&node, age, 9), 0);
    assert_eq!(write(&ann), [GOAWAY, GOAWAY]);
    pass(&node, 60);
    assert_eq!(aged(&node, age, 9), 0);
    assert_eq!(write(&ann), ["close 1012"]);
    assert_eq!(write(&bob), [""; 0]);
}

#[test]
fn those_that_came_together_reach_their_age_one_by_one_and_none_later_than_the_bound() {
    let node = Node::new("n1");
    let age = MaxAge {
        max: Duration::from_secs(1000),
        jitter: 0.1,
    };
    let all: Vec<Attachment> = (0..1000)
        .map(|number| node.attach(&format!("p{number}")))
        .collect();
    pass(&node, 899);
    let at_first = aged(&node, age, all.len());
    assert!(at_first <= 10, "{at_first} at the earliest moment");
    pass(&node, 50);
    let half = aged(&node, age, all.len());
    assert!((450..=550).contains(&half), "{half} after half of the jitter");
    pass(&node, 52);
    assert_eq!(at_first + half + aged(&node, age, all.len()), 1000);
}

fn names(sessions: &[std::sync::Arc<crate::Session>]) -> Vec<String> {
    let mut names: Vec<_> = sessions
        .iter()
        .map(|session| session.key().peer().to_string())
        .collect();
    names.sort();
    names
}

#[test]
fn sessions_are_quiet_again_after_the_time_that_is_asked_for() {
    let node = Node::new("n1");
    let all = ["ann", "bob", "cid"].map(|name| node.attach(name));
    node.send(&all[0], "bob", 1, "{}");
    let (quiet, active) = node.router.rebalance().quiet_and_active(QUIET);
    assert_eq!(
        (names(&quiet), names(&active)),
        (vec!["cid".into()], vec!["ann".into(), "bob".into()])
    );
    pass(&node, QUIET.as_secs());
    let (quiet, active) = node.router.rebalance().quiet_and_active(QUIET);
    assert_eq!((quiet.len(), active.len()), (3, 0));
}

#[test]
fn as_many_as_there_are_can_be_asked_at_once() {
    let node = Node::new("n1");
    let _all = ["ann", "bob"].map(|name| node.attach(name));
    assert_eq!(asked(&node, 2), ["ann", "bob"]);
}

#[test]
fn the_load_of_the_cluster_comes_from_the_broker() {
    let node = Node::new("n1");
    let rebalance = node.router.rebalance();
    let load = rebalance.cluster_load(Some(3));
    assert_eq!(load.map(|load| (load.own, load.others)), Some((3, vec![7])));
    assert_eq!(rebalance.cluster_load(None), None);
}
