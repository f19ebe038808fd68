//! The operations that are measured.

use std::time::Duration;

use switchboard_core::{Presence, SessionSnapshot, StoredMessage};

use super::{
    COUNTED, PEERS, Site,
    common::{
        PATIENCE, answer, claim, keep, key, next_mid, resume,
        rooms::{join, member, room},
        session_id, token, until, until_presence,
    },
    monitor::Monitor,
};

/// Members of each room.
const MEMBERS: usize = 10;

/// A stored message, in bytes.
const MESSAGE: usize = 1_200;

fn name(number: usize) -> String {
    format!("peer-{number:05}")
}

async fn connect(site: &Site, number: usize) {
    let peer = name(number);
    let attached = site.n1.broker.attach(&key(&peer), claim(1)).await;
    assert!(attached.unwrap().confirmed);
}

async fn join_room(site: &Site, number: usize, name_of: &str) {
    let joined = site.n1.join_with(join(name_of, member(&name(number), 1))).await;
    joined.unwrap();
}

fn message(to: &str) -> StoredMessage {
    StoredMessage {
        mid: next_mid(),
        id: 1,
        from: key("sender"),
        to: key(to),
        prev: None,
        is_urgent: false,
        window: Duration::from_secs(60),
        hold: None,
        is_first: true,
        envelope: vec![b'x'; MESSAGE],
    }
}

async fn store(site: &Site, to: &str) {
    let message = message(to);
    let mid = message.mid;
    site.n2.broker.store(message).unwrap();
    answer(&site.n2.seen.stored, mid).await.unwrap();
}

fn detach(site: &Site, number: usize, is_kept: bool) {
    let retention = is_kept.then(|| keep(SessionSnapshot::default())).flatten();
    site.n1
        .broker
        .detach(&key(&name(number)), session_id(1), 0, retention);
}

/// Bytes for each peer. Everybody is gone afterwards.
pub(crate) async fn memory(site: &Site) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut before = site.memory().await;
    let mut note = |what: &str, now: f64, count: usize| {
        rows.push((what.to_owned(), format!("{:.0} B", (now - before) / count as f64)));
        before = now;
    };
    for peer in 0..PEERS {
        connect(site, peer).await;
    }
    note("memory: an idle peer", site.memory().await, PEERS);
    for peer in 0..PEERS {
        site.n2.broker.watch(&key(&name(peer)));
    }
    let watched = || site.n2.seen.watching.lock().len();
    until("all are watched", PATIENCE, || watched() >= PEERS).await;
    note(
        "memory: a peer that another node watches, more",
        site.memory().await,
        PEERS,
    );
    for peer in 0..PEERS {
        join_room(site, peer, &format!("room-{}", peer / MEMBERS)).await;
    }
    note(
        "memory: a member of a room of ten, with its share of the room, more",
        site.memory().await,
        PEERS,
    );
    for peer in 0..PEERS {
        detach(site, peer, true);
    }
    until_presence(&site.n2, &name(PEERS - 1), &Presence::Detached).await;
    let settled = site.memory().await;
    note(
        "memory: a detached session instead of a connected peer, more",
        settled,
        PEERS,
    );
    for peer in 0..PEERS {
        store(site, &name(peer)).await;
    }
    note(
        "memory: one stored message of 1,200 B, more",
        site.memory().await,
        PEERS,
    );
    for peer in 0..PEERS {
        site.n2.broker.unwatch(&key(&name(peer)));
        connect(site, peer).await;
        site.n1.leave(&format!("room-{}", peer / MEMBERS), &name(peer), 1);
        detach(site, peer, false);
    }
    until_presence(&site.n2, &name(PEERS - 1), &Presence::Offline).await;
    rows
}

/// Commands of each operation: those that nodes send, and those that scripts call. One peer after another.
pub(crate) async fn commands(site: &Site) -> Vec<(String, String)> {
    let peers = PEERS..PEERS + COUNTED;
    let word = "peer-0";
    let mut rows = Vec::new();
    let mut note = |what: &str, (sent, inner): (usize, usize)| {
        let each = |count: usize| count as f64 / COUNTED as f64;
        rows.push((
            format!("commands: {what}"),
            format!("{:.1} + {:.1}", each(sent), each(inner)),
        ));
    };
    let monitor = async || Monitor::start(site.redis.servers()).await;

    let running = monitor().await;
    for peer in peers.clone() {
        connect(site, peer).await;
    }
    note("a connect", running.stop(word).await);

    let running = monitor().await;
    for peer in peers.clone() {
        assert_eq!(site.n2.publish(&name(peer), b"hello").await, Ok(1));
    }
    note(
        "a message to a peer of another node, without its receipt",
        running.stop(word).await,
    );

    let running = monitor().await;
    for peer in peers.clone() {
        site.n2.locate(&name(peer)).await.unwrap();
    }
    note("the look-up of a peer", running.stop(word).await);

    site.n1.join("counted", "resident", 9).await;
    let running = monitor().await;
    for peer in peers.clone() {
        join_room(site, peer, "counted").await;
    }
    note("a join", running.stop("counted").await);
    let running = monitor().await;
    for peer in peers.clone() {
        site.n1
            .publish_to_room("counted", name(peer).as_bytes())
            .await
            .unwrap();
    }
    note("a message to a room", running.stop("counted").await);
    let running = monitor().await;
    for peer in peers.clone() {
        site.n1.leave("counted", &name(peer), 1);
    }
    site.n1.until_members("counted", &["resident"]).await;
    note("a leave", running.stop(word).await);
    site.n1.broker.forget_room(&room("counted"));

    let running = monitor().await;
    for peer in peers.clone() {
        detach(site, peer, true);
    }
    until_presence(&site.n2, &name(PEERS + COUNTED - 1), &Presence::Detached).await;
    note("a lost connection whose session stays", running.stop(word).await);
    let running = monitor().await;
    for peer in peers.clone() {
        store(site, &name(peer)).await;
    }
    note("a stored message", running.stop(word).await);
    let running = monitor().await;
    for peer in peers.clone() {
        let claim = resume(token(1), Duration::ZERO);
        let resumed = site.n1.broker.attach(&key(&name(peer)), claim).await;
        assert!(resumed.unwrap().confirmed);
    }
    note("a resume", running.stop(word).await);
    let running = monitor().await;
    for peer in peers {
        detach(site, peer, false);
    }
    until_presence(&site.n2, &name(PEERS + COUNTED - 1), &Presence::Offline).await;
    note("a disconnect that ends the session", running.stop(word).await);
    rows
}
