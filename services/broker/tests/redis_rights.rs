//! A user of Redis that lacks one right: for each right of the documented lines, nodes answer everything in time, and say
//! what Redis refuses, in their state or in the log.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[macro_use]
mod common;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    Node,
    acl::{of_webhooks, plain, rights, type_line},
    claim, configured_node, key, next_mid,
    redis::redis_server,
    rooms::{join, member, peer, room},
    session_id, until,
};
use futures_util::future::join_all;
use parking_lot::Mutex;
use switchboard_broker::RedisConfig;
use switchboard_core::{
    Append, Asker, BusState, Hold, Page, ReadFrom, Replay, Retention, RevocationChange, RoomQuery,
    STREAM_PARTITIONS, SessionSnapshot, StoredMessage, StreamBounds, StreamEvent,
};
use switchboard_harness::{RedisOptions, RedisServer};
use switchboard_protocol::Revocation;
use tokio::time::timeout;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// How long anything may take here. Fifty nodes share the machine.
const IN_TIME: Duration = Duration::from_secs(20);

/// The rights that a node does without, with what it loses.
const OPTIONAL: [(&str, &str); 3] = [
    (
        "client|kill",
        "after an outage, a claim that was given up can come back",
    ),
    ("client|info", "the same"),
    ("info", "nothing limits stored messages; the log says so"),
];

/// How long a node is used: its lease has to last until it sweeps what dead nodes left, and a sweep comes every three seconds.
const USED_FOR: Duration = Duration::from_secs(18);

/// A node whose user has all documented rights except `lacks`, with names of its own on the shared Redis. An earlier run
/// of the node has left its lease, a peer and a member of a room there.
async fn node_without(redis: &RedisServer, number: usize, lacks: &str) -> Node {
    let config = |user: &str, password: &str| RedisConfig {
        key_prefix: format!("p{number}"),
        ..RedisConfig::new(format!("redis://{user}:{password}@{}", redis.address()))
    };
    let dead = configured_node("n1", &config("all", "word"));
    dead.is_up().await;
    dead.attach("ghost", 9).await;
    dead.join("crypt", "ghost", 9).await;
    let user = format!("u{number}");
    for line in [plain(), of_webhooks()] {
        let prefix = format!("p{number}:");
        let mut words: Vec<_> = line.iter().map(|word| word.replace("sb:", &prefix)).collect();
        words[2].clone_from(&user);
        words.push(format!("-{lacks}"));
        type_line(redis, &words).await;
    }
    drop(dead);
    configured_node("n1", &config(&user, "PASSWORD"))
}

fn all_rooms() -> RoomQuery {
    RoomQuery {
        tenant: "acme".to_owned(),
        prefix: String::new(),
        after: None,
        limit: 10,
    }
}

fn message(id: u64) -> StoredMessage {
    StoredMessage {
        id,
        hold: Some(Hold {
            time: common::WINDOW,
            tenant_bytes: 1_000_000,
        }),
        ..common::stored("carol", next_mid())
    }
}

/// What webhooks and calls ask for.
async fn backend(node: &Node) {
    let long = Duration::from_secs(60);
    let name = "acme/1".to_owned();
    let _ = node.calls.begin(name.clone(), "ringing".to_owned(), long).await;
    let _ = node.calls.remove(name).await;
    let event = Append {
        stream: "app".into(),
        event: Arc::new(StreamEvent {
            id: "1".to_owned(),
            key: "acme/bob".to_owned(),
            at_ms: 1,
            body: "{}".to_owned(),
        }),
        at_most_every: None,
    };
    let bounds = StreamBounds {
        events_per_partition: 10,
        dead: 3,
    };
    let all: Vec<usize> = (0..STREAM_PARTITIONS).collect();
    let _ = node.streams.hold("app", &[]).await;
    let _ = node.streams.append(&[event.clone(), event], bounds).await;
    for from in [ReadFrom::start(), ReadFrom::New] {
        for partition in &all {
            let read = node.streams.read("app", &[(*partition, from.clone(), 9)]).await;
            for page in read.unwrap_or_default() {
                let Page::Entries { entries, .. } = page else {
                    continue;
                };
                for (number, entry) in entries.iter().enumerate() {
                    let place = (*partition, entry.entry.clone());
                    if number == 0 {
                        let _ = node.streams.remove("app", &[place]).await;
                    } else {
                        let given_up = node.streams.give_up("app", *partition, entry, "HTTP 500", bounds);
                        let _ = given_up.await;
                    }
                }
            }
        }
    }
    let _ = node.streams.dead("app", 9).await;
    let _ = node.streams.replay("app", Replay::Oldest(1), 77, bounds).await;
    let _ = node.streams.hold("app", &all).await;
    let _ = node.streams.leave("app").await;
}

/// Uses the node as connections do. Whatever is refused, everything is answered; the states that were seen.
async fn exercise(node: &Node) -> Vec<String> {
    let mut seen = Vec::new();
    let mut note = |node: &Node| {
        let status = node.broker.status();
        if status.state != BusState::Up {
            seen.push(format!("{:?}: {}", status.state, status.detail));
        }
    };
    let start = Instant::now();
    while start.elapsed() < USED_FOR {
        let mids: Vec<_> = (0..3).map(|_| next_mid()).collect();
        for peer in ["bob", "carol"] {
            let attached = timeout(IN_TIME, node.broker.attach(&key(peer), claim(1))).await;
            // A refusal is an answer, too.
            let _ = attached.unwrap();
        }
        let sent = node.broker.publish(mids[0], &key("bob"), b"hello".to_vec());
        let located = node.broker.locate(Asker::Send(mids[1]), &key("bob"));
        node.broker.touch(&key("bob"), session_id(1));
        node.broker.watch(&key("dora"));
        let retention = Retention {
            snapshot: Some(SessionSnapshot::default()),
            window: common::WINDOW,
        };
        node.broker
            .detach(&key("carol"), session_id(1), 0, Some(retention));
        let stored = StoredMessage {
            mid: mids[2],
            ..message(1)
        };
        let stored = node.broker.store(stored);
        // Nobody of this name has a session.
        let held = StoredMessage {
            mid: next_mid(),
            to: key("nobody"),
            ..message(1)
        };
        let _ = node.broker.store(held);
        let answered = || {
            let published = node.seen.published.lock();
            let found = node.seen.located.lock();
            let kept = node.seen.stored.lock();
            (sent.is_err() || published.iter().any(|(mid, _)| *mid == mids[0]))
                && (located.is_err() || found.iter().any(|(mid, _)| *mid == mids[1]))
                && (stored.is_err() || kept.iter().any(|(mid, _)| *mid == mids[2]))
        };
        until("everything is answered", IN_TIME, answered).await;
        // A refusal is an answer here, too; silence is not.
        let rooms = async {
            let _ = node.join_with(join("lobby", member("bob", 1))).await;
            let _ = node.members("lobby").await;
            let _ = node.broker.rooms(all_rooms()).await;
            let revocation = Revocation::parse("t acme/7", u64::from(u32::MAX)).unwrap();
            let replaces = None;
            let _ = node
                .broker
                .revoke(&RevocationChange { revocation, replaces })
                .await;
            node.leave("lobby", "bob", 1);
            node.broker.forget_room(&room("lobby"));
            let _ = node.broker.rooms_of(&key("bob")).await;
            let _ = node.broker.has_member(&room("lobby"), &peer("bob")).await;
            let _ = node.broker.end_session(&key("carol")).await;
            backend(node).await;
        };
        timeout(IN_TIME, rooms).await.unwrap();
        node.broker.read_offline_queue(&key("bob"), session_id(1));
        node.broker.remove_stored(&key("bob"), session_id(1), 1, 1);
        note(node);
        tokio::time::sleep(Duration::from_millis(600)).await;
        note(node);
    }
    seen
}

/// Keeps the `why` of each warning.
#[derive(Default, Clone)]
struct Warnings(Arc<Mutex<BTreeSet<String>>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Why(self));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Why<'a>(&'a Warnings);

impl Visit for Why<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "why" {
            self.0.0.lock().insert(format!("{value:?}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_right_the_nodes_user_lacks_everything_is_answered_and_the_refusal_is_named() {
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let Some(redis) = redis_server(RedisOptions::default()).await else {
        return;
    };
    let all = [
        "ACL",
        "SETUSER",
        "all",
        "on",
        ">word",
        "allkeys",
        "allchannels",
        "+@all",
    ];
    redis.command::<String>(&all).await.unwrap();
    let lines = [plain(), of_webhooks()];
    let rights: Vec<&str> = lines.iter().flat_map(|line| rights(line)).collect();
    assert!(rights.len() > 50, "{rights:?}");
    let runs = rights.iter().enumerate().map(async |(number, lacks)| {
        let node = node_without(&redis, number, lacks).await;
        let seen = exercise(&node).await;
        let ended = timeout(IN_TIME, node.broker.shutdown()).await;
        assert!(ended.is_ok(), "a node without {lacks} stops in time");
        (*lacks, seen)
    });
    let (mut silent, mut named) = (Vec::new(), 0);
    for (lacks, seen) in join_all(runs).await {
        // Redis writes it in quotes, and the node, where Redis does not, in back quotes and without a subcommand.
        let command = lacks.split('|').next().unwrap_or_default();
        let names = |text: &&String| {
            let forms = [format!("'{lacks}'"), format!("`{command}`")];
            forms.iter().any(|form| text.contains(form))
        };
        let logged = warnings.0.lock().clone();
        let refusal = seen.iter().chain(&logged).find(names);
        match refusal {
            Some(text) => {
                named += 1;
                println!("{lacks}: {text}");
            }
            None => silent.push(lacks),
        }
    }
    println!("{named} are named, and these are not: {silent:?}");
    let optional = OPTIONAL.map(|(right, _)| right);
    silent.retain(|right| !optional.contains(right));
    assert_eq!(silent, [""; 0]);
}
