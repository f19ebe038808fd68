//! Who learns of whom, and when: questions to the record, changes that overtake answers, watchers that are slow.

use std::sync::Arc;

use switchboard_protocol::{LeaveReason, PresenceState};

use super::harness::*;
use crate::{
    Asker, AttachRequest, Attachment, BrokerError, BrokerEvents as _, Limits, Located, OnDisconnect,
    Presence,
    PresenceCommand::{self, Lookup, Unwatch, Watch},
};

fn ask(node: &Node, client: &Attachment, command: PresenceCommand, peers: &[&str], id: u64) {
    let peers = peers.iter().map(|peer| key(peer)).collect();
    node.router
        .on_presence_command(client.session(), command, peers, Some(id));
}

/// The questions that the node asked of the record, with their peers.
fn questions(node: &Node) -> Vec<(Asker, String)> {
    let asked = node.asked().into_iter();
    let questions = asked.filter_map(|asked| {
        let Asked::Locate(asker, peer) = asked else {
            return None;
        };
        Some((asker, peer.peer().to_owned()))
    });
    questions.collect()
}

fn located(state: PresenceState, fence: u64) -> Located {
    Located {
        fence,
        presence: match state {
            PresenceState::Online => Presence::Attached {
                node: switchboard_protocol::NodeId::new("n2").unwrap(),
            },
            PresenceState::Detached => Presence::Detached,
            PresenceState::Offline => Presence::Offline,
        },
        ..Located::OFFLINE
    }
}

/// Answers every question that the node asked since the last call.
fn answer(node: &Node, state: PresenceState, fence: u64) {
    for (asker, peer) in questions(node) {
        node.router
            .on_located(asker, &key(&peer), Ok(located(state, fence)));
    }
}

fn change(node: &Node, peer: &str, fence: u64, state: PresenceState) {
    node.router.on_presence(key(peer).as_str(), fence, state);
}

/// The frame that tells one peer's state.
fn informed(id: Option<u64>, peer: &str, state: &str) -> String {
    let id = id.map_or(String::new(), |id| format!("\"id\":{id},"));
    format!("{{\"type\":\"presence\",{id}\"peers\":[{{\"peer\":\"{peer}\",\"state\":\"{state}\"}}]}}")
}

/// Alice on a node; she watches bob, who is online with fence 5, and has her answer.
fn watching() -> (Node, Attachment) {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    ask(&node, &alice, Watch, &["bob"], 1);
    node.router.on_watching("default/bob");
    answer(&node, PresenceState::Online, 5);
    assert_eq!(write(&alice), [informed(Some(1), "bob", "online")]);
    (node, alice)
}

#[test]
fn a_lookup_is_answered_once_when_every_peer_is_known() {
    let node = Node::new("n1");
    let (alice, _here) = (node.attach("alice"), node.attach("here"));
    ask(&node, &alice, Lookup, &["bob", "here", "carol", "bob"], 7);
    let questions = questions(&node);
    assert_eq!(
        questions.len(),
        2,
        "one for each peer of another node: {questions:?}"
    );
    for (asker, peer) in questions {
        assert_eq!(write(&alice), [""; 0]);
        let state = match peer.as_str() {
            "bob" => PresenceState::Detached,
            _ => PresenceState::Offline,
        };
        node.router.on_located(asker, &key(&peer), Ok(located(state, 1)));
    }
    let frame = "{\"type\":\"presence\",\"id\":7,\"peers\":[{\"peer\":\"bob\",\"state\":\"detached\"},\
                 {\"peer\":\"carol\",\"state\":\"offline\"},{\"peer\":\"here\",\"state\":\"online\"}]}";
    assert_eq!(write(&alice), [frame]);
    assert_eq!(node.router.presence_side().sizes(), (0, 0, 0));
}

#[test]
fn a_lookup_ends_in_an_error_while_the_bus_cannot_tell_but_a_peer_of_this_node_is_known() {
    let node = Node::new("n1");
    let (alice, _here) = (node.attach("alice"), node.attach("here"));
    *node.bus.is_down.lock() = true;
    ask(&node, &alice, Lookup, &["bob", "carol"], 1);
    ask(&node, &alice, Lookup, &["here"], 2);
    assert_eq!(
        write(&alice),
        [
            "1 bus-unavailable".to_owned(),
            informed(Some(2), "here", "online")
        ]
    );
    *node.bus.is_down.lock() = false;
    ask(&node, &alice, Lookup, &["bob", "carol"], 3);
    for (asker, peer) in questions(&node) {
        let unsettled = Err(BrokerError::Unsettled);
        node.router.on_located(asker, &key(&peer), unsettled);
    }
    assert_eq!(write(&alice), ["3 bus-unavailable"]);
}

#[test]
fn a_watcher_learns_the_state_now_and_then_each_change_once() {
    let (node, alice) = watching();
    change(&node, "bob", 5, PresenceState::Detached);
    change(&node, "bob", 5, PresenceState::Detached);
    change(&node, "bob", 6, PresenceState::Online);
    assert_eq!(
        write(&alice),
        [informed(None, "bob", "detached"), informed(None, "bob", "online")]
    );
    change(&node, "bob", 5, PresenceState::Offline);
    assert_eq!(write(&alice), [""; 0], "an older fence");
    change(&node, "carol", 9, PresenceState::Online);
    assert_eq!(write(&alice), [""; 0], "nobody watches carol");
}

/// A peer of the watcher's own node answers at once, and may go before the changes are received.
#[test]
fn a_peer_that_goes_between_the_first_answer_and_the_subscription_is_reported() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    let mut bob = node.attach("bob");
    ask(&node, &alice, Watch, &["bob"], 1);
    assert_eq!(write(&alice), [informed(Some(1), "bob", "online")]);
    bob.on_disconnect(OnDisconnect::End, LeaveReason::Left);
    drop(bob);
    node.router.on_watching("default/bob");
    // An absence is believed when it is read again and again.
    for _ in 0..5 {
        answer(&node, PresenceState::Offline, 0);
        node.router.presence_side().catch_up();
    }
    assert_eq!(write(&alice), [informed(None, "bob", "offline")]);
}

#[test]
fn a_change_that_overtakes_the_answer_of_the_record_stands() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    ask(&node, &alice, Watch, &["bob"], 1);
    node.router.on_watching("default/bob");
    change(&node, "bob", 5, PresenceState::Offline);
    answer(&node, PresenceState::Online, 5);
    assert_eq!(write(&alice), [informed(Some(1), "bob", "offline")]);
}

#[test]
fn one_subscription_serves_all_watchers_of_a_node_and_ends_with_the_last() {
    let node = Node::new("n1");
    let (alice, carol) = (node.attach("alice"), node.attach("carol"));
    let subscriptions = |node: &Node| {
        let asked = node.asked().into_iter();
        let changes = asked.filter_map(|asked| {
            if let Asked::Watch(peer) = asked {
                return Some(format!("+{}", peer.peer()));
            }
            let Asked::Unwatch(peer) = asked else {
                return None;
            };
            Some(format!("-{}", peer.peer()))
        });
        changes.collect::<Vec<_>>()
    };
    ask(&node, &alice, Watch, &["bob", "dave"], 1);
    ask(&node, &carol, Watch, &["bob"], 1);
    ask(&node, &carol, Watch, &["bob"], 2);
    assert_eq!(subscriptions(&node), ["+bob", "+dave"]);
    ask(&node, &alice, Unwatch, &["bob", "nobody"], 2);
    assert_eq!(subscriptions(&node), [""; 0]);
    drop(carol);
    assert_eq!(subscriptions(&node), ["-bob"]);
    drop(alice);
    assert_eq!(subscriptions(&node), ["-dave"]);
    assert_eq!(node.router.presence_side().sizes().1, 0);
    assert_eq!(node.metric("switchboard_watches"), 0.0);
}

#[test]
fn every_watcher_of_a_peer_is_informed_until_it_watches_no_more() {
    let (node, alice) = watching();
    let carol = node.attach("carol");
    ask(&node, &carol, Watch, &["bob"], 3);
    answer(&node, PresenceState::Online, 5);
    assert_eq!(write(&carol), [informed(Some(3), "bob", "online")]);
    change(&node, "bob", 5, PresenceState::Detached);
    assert_eq!(write(&carol), [informed(None, "bob", "detached")]);
    ask(&node, &alice, Unwatch, &["bob"], 2);
    change(&node, "bob", 5, PresenceState::Offline);
    let frames = [
        informed(None, "bob", "detached"),
        "{\"type\":\"presence\",\"id\":2,\"peers\":[]}".into(),
    ];
    assert_eq!(write(&alice), frames);
    assert_eq!(write(&carol), [informed(None, "bob", "offline")]);
}

#[test]
fn after_the_bus_was_rebuilt_a_watcher_learns_what_it_missed() {
    let (node, alice) = watching();
    node.router.on_watching("default/bob");
    for (asker, peer) in questions(&node) {
        node.router
            .on_located(asker, &key(&peer), Err(BrokerError::Unsettled));
    }
    assert_eq!(write(&alice), [""; 0], "nothing is known yet");
    for _ in 0..4 {
        node.router.presence_side().catch_up();
        answer(&node, PresenceState::Offline, 0);
        assert_eq!(
            write(&alice),
            [""; 0],
            "his node may be about to write his claim again"
        );
    }
    node.router.presence_side().catch_up();
    answer(&node, PresenceState::Offline, 0);
    assert_eq!(write(&alice), [informed(None, "bob", "offline")]);
    node.router.presence_side().catch_up();
    assert!(questions(&node).is_empty(), "and is not asked for again");
    change(&node, "bob", 4, PresenceState::Online);
    assert_eq!(write(&alice), [""; 0], "the fence of an absent record stays");
}

#[test]
fn a_peer_whose_record_was_lost_and_written_again_was_never_offline() {
    let (node, alice) = watching();
    node.router.on_watching("default/bob");
    answer(&node, PresenceState::Offline, 0);
    change(&node, "bob", 5, PresenceState::Online);
    node.router.presence_side().catch_up();
    answer(&node, PresenceState::Offline, 0);
    node.router.presence_side().catch_up();
    answer(&node, PresenceState::Online, 5);
    node.router.presence_side().catch_up();
    assert!(questions(&node).is_empty());
    assert_eq!(write(&alice), [""; 0]);
}

#[test]
fn a_lookup_that_fails_repeats_nothing_that_a_watcher_knows() {
    let (node, alice) = watching();
    *node.bus.is_down.lock() = true;
    ask(&node, &alice, Lookup, &["bob"], 2);
    node.router.presence_side().catch_up();
    assert_eq!(write(&alice), ["2 bus-unavailable"]);
}

#[test]
fn a_watch_whose_first_state_was_not_known_stands_and_is_answered_later() {
    let node = Node::new("n1");
    let alice = node.attach("alice");
    *node.bus.is_down.lock() = true;
    ask(&node, &alice, Watch, &["bob"], 1);
    assert_eq!(write(&alice), ["1 bus-unavailable"]);
    *node.bus.is_down.lock() = false;
    node.router.on_watching("default/bob");
    answer(&node, PresenceState::Online, 5);
    node.router.presence_side().catch_up();
    assert_eq!(write(&alice), [informed(None, "bob", "online")]);
    node.router.presence_side().catch_up();
    assert_eq!(write(&alice), [""; 0], "once");
}

#[test]
fn a_watcher_that_does_not_read_costs_nothing_more_and_learns_the_last_state() {
    let (node, alice) = watching();
    let before = take(&alice).len();
    let limits = Limits::default();
    let mut flaps = 0;
    while alice.session().has_room_for_answers(&limits) {
        flaps += 1;
        change(&node, "bob", 5 + flaps, PresenceState::Detached);
        change(&node, "bob", 5 + flaps, PresenceState::Online);
        assert!(flaps < 10_000, "answers have no bound");
    }
    for more in 0..1_000 {
        change(&node, "bob", 5 + flaps + more, PresenceState::Detached);
    }
    node.router.presence_side().catch_up();
    let frames = take(&alice).len() - before;
    assert!(frames as u64 <= 2 * flaps, "{frames} frames");
    node.router.presence_side().catch_up();
    assert_eq!(write(&alice), [informed(None, "bob", "detached")]);
    change(&node, "bob", 5 + flaps + 1_000, PresenceState::Online);
    assert_eq!(
        write(&alice),
        [informed(None, "bob", "online")],
        "and each change again"
    );
}

#[test]
fn a_peer_watches_no_more_than_its_bound_and_a_node_neither() {
    let limits = Limits {
        watched_per_peer: 3,
        watched_per_node: 4,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let (alice, carol) = (node.attach("alice"), node.attach("carol"));
    ask(&node, &alice, Watch, &["a", "b", "c"], 1);
    ask(&node, &alice, Watch, &["a", "d"], 2);
    assert_eq!(write(&alice), ["2 rate-limited"]);
    ask(&node, &alice, Watch, &["a", "b"], 3);
    assert_eq!(
        write(&alice),
        [""; 0],
        "peers that are watched already cost nothing"
    );
    ask(&node, &carol, Watch, &["x", "y"], 1);
    assert_eq!(write(&carol), ["1 rate-limited"]);
    ask(&node, &alice, Unwatch, &["a"], 4);
    ask(&node, &alice, Watch, &["d"], 5);
    ask(&node, &carol, Watch, &["x"], 2);
    assert_eq!(write(&alice).len(), 1, "the end of the watch alone is answered");
    assert_eq!(write(&carol), [""; 0]);
    let refusals = |scope: &str| {
        node.metric(&format!(
            "switchboard_budget_refusals_total{{budget=\"watches\",scope=\"{scope}\"}}"
        ))
    };
    assert_eq!((refusals("peer"), refusals("node")), (1.0, 1.0));
    assert_eq!(node.metric("switchboard_watches"), 4.0);
}

#[test]
fn watches_end_with_the_connection_also_when_the_session_is_resumed_here() {
    let (node, alice) = watching();
    let resume = Some((alice.token(), 0));
    *node.bus.record.lock() = Some(crate::ClaimOutcome {
        previous: Some(crate::PreviousOwner {
            node: node.router.node().clone(),
            session: alice.session().id(),
        }),
        ..crate::ClaimOutcome::default()
    });
    let request = AttachRequest {
        resume,
        ..AttachRequest::default()
    };
    let again = node.attach_as("alice", request);
    ask(&node, &again, Watch, &["bob"], 9);
    drop(alice);
    answer(&node, PresenceState::Online, 5);
    change(&node, "bob", 5, PresenceState::Detached);
    assert_eq!(
        write(&again),
        [
            informed(Some(9), "bob", "online"),
            informed(None, "bob", "detached")
        ]
    );
}

#[test]
fn the_node_itself_asks_where_a_peer_is() {
    use futures_util::FutureExt as _;

    let node = Node::new("n1");
    let bob = key("bob");
    let mut asking = Box::pin(node.router.locate(&bob));
    assert!(asking.as_mut().now_or_never().is_none());
    answer(&node, PresenceState::Online, 5);
    let answer = asking.now_or_never().unwrap().unwrap();
    assert_eq!(
        (answer.fence, answer.presence.state()),
        (5, PresenceState::Online)
    );
    *node.bus.is_down.lock() = true;
    let failed = node.router.locate(&bob).now_or_never().unwrap();
    assert_eq!(failed, Err(BrokerError::Unavailable));
}

#[test]
fn a_question_of_a_client_that_is_gone_harms_nobody() {
    let node = Node::new("n1");
    let mut alice = node.attach("alice");
    ask(&node, &alice, Lookup, &["bob"], 1);
    alice.on_disconnect(OnDisconnect::End, LeaveReason::Left);
    let session = Arc::downgrade(alice.session());
    drop(alice);
    assert!(session.upgrade().is_none(), "a question keeps no session alive");
    answer(&node, PresenceState::Online, 5);
    assert_eq!(node.router.presence_side().sizes(), (0, 0, 0));
}
