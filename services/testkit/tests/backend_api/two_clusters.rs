//! Two clusters on one Redis server, with nodes, tenants, peers and rooms of the same names: each sees its own, and nothing of
//! the other. Which names in Redis are a cluster's own is tested with the broker.

use reqwest::Method;
use serde_json::json;
use switchboard_client::{Client, ConnectError, ConnectOptions};
use switchboard_protocol::{
    Claims, Command, Event, MessageKind, PresenceState, SendCommand, SendOutcome, SendTarget, ServerFrame,
};
use switchboard_testkit::{Cluster, PATIENCE, RedisLayout, claims, payload, sign, wait_until};

use crate::{Backend, answer, backend_claims, rooms::join};

/// The tenants of both clusters.
const TENANTS: [&str; 2] = ["default", "acme"];

/// The peers of one tenant of one cluster: alice is on the first node, bob and the one of the cluster's own are on the second.
struct Party {
    /// The name of the only peer that the other cluster does not have; also of its room.
    own: String,
    backend: Backend,
    alice: Client,
    bob: Client,
    loner: Client,
}

fn of(tenant: &str, peer: &str) -> Claims {
    Claims {
        tenant: Some(tenant.into()),
        ..claims(peer)
    }
}

fn options(cluster: &Cluster, node: usize, claims: &Claims) -> ConnectOptions {
    ConnectOptions::new(cluster.nodes[node].url(), sign(claims).unwrap())
}

async fn connect(cluster: &Cluster, node: usize, tenant: &str, peer: &str) -> Client {
    let options = options(cluster, node, &of(tenant, peer));
    Client::connect(&options).await.unwrap()
}

/// The states in the answer to `id`, or in the next change.
async fn states(client: &mut Client, id: Option<u64>) -> Vec<PresenceState> {
    let find = |frame: &ServerFrame| match frame {
        ServerFrame::Event(Event::Presence { id: of, peers }) if *of == id => {
            Some(peers.iter().map(|presence| presence.state).collect())
        }
        ServerFrame::Event(_) | ServerFrame::Message(_) => None,
    };
    client.expect(PATIENCE, find).await.unwrap()
}

impl Party {
    async fn start(cluster: &Cluster, tenant: &str, own: &str) -> Self {
        let mut party = Self {
            own: own.to_owned(),
            backend: Backend::at(
                cluster.nodes[0].public_port(),
                sign(&backend_claims(tenant)).unwrap(),
            ),
            alice: connect(cluster, 0, tenant, "alice").await,
            bob: connect(cluster, 1, tenant, "bob").await,
            loner: connect(cluster, 1, tenant, own).await,
        };
        join(&mut party.alice, "lobby").await;
        join(&mut party.bob, "lobby").await;
        join(&mut party.loner, own).await;
        party
    }

    /// Alice sends this text to bob and to the lobby, and so does the backend.
    async fn send(&mut self, text: &str) {
        let text = payload(format!("\"{text}\"")).unwrap();
        let sent = self
            .alice
            .send_and_confirm(MessageKind::Offer, "bob", &text, PATIENCE);
        assert!(sent.await.unwrap().is_delivered());
        let id = self.alice.next_id();
        let to_room = Command::Send(SendCommand {
            kind: MessageKind::Message,
            to: SendTarget::Room("lobby".into()),
            payload: &text,
            id: Some(id),
            hold_ms: None,
        });
        self.alice.command(&to_room).await.unwrap();
        let published = self.alice.outcome_of(id, PATIENCE).await.unwrap();
        assert!(
            !matches!(published.outcome, SendOutcome::Error(_)),
            "{published:?}"
        );
        let body = format!("{{\"payload\":{text}}}");
        for (path, says) in [
            ("/v1/peers/bob/messages", "delivered"),
            ("/v1/rooms/lobby/messages", "published"),
        ] {
            assert_eq!(self.backend.post(path, &body).await.says(), (200, says));
        }
    }

    /// The next messages of bob are those of these texts, four of each.
    async fn receives(&mut self, texts: [&str; 2]) {
        let mut received = Vec::new();
        for _ in 0..8 {
            let message = self.bob.message(PATIENCE).await.unwrap();
            received.push(message.payload.get().trim_matches('"').to_owned());
        }
        received.sort_unstable();
        assert_eq!(received, texts.map(|text| [text; 4]).concat());
    }

    /// Nobody here finds the peer and the room of the other cluster, by any way.
    async fn knows_nothing_of(&mut self, stranger: &str) {
        let text = payload("\"anybody?\"").unwrap();
        let sent = self
            .alice
            .send_and_confirm(MessageKind::Offer, stranger, &text, PATIENCE);
        let sent = sent.await.unwrap();
        assert!(
            matches!(sent.outcome, SendOutcome::Error(code) if code.to_string() == "peer-offline"),
            "{sent:?}"
        );
        let id = self.alice.next_id();
        let look_up = format!("{{\"type\":\"lookup\",\"peers\":[\"bob\",\"{stranger}\"],\"id\":{id}}}");
        self.alice.send_text(look_up).await.unwrap();
        let expected = [PresenceState::Online, PresenceState::Offline];
        assert_eq!(states(&mut self.alice, Some(id)).await, expected);
        let backend = &self.backend;
        let found = backend.get(&format!("/v1/peers/{stranger}")).await;
        assert_eq!(
            (&found.body["state"], &found.body["rooms"]),
            (&json!("offline"), &json!([]))
        );
        let path = format!("/v1/peers/{stranger}/messages");
        assert_eq!(
            backend.post(&path, r#"{"payload":1}"#).await.says(),
            (404, "peer-offline")
        );
        let kicked = answer(backend.request(Method::DELETE, &format!("/v1/peers/{stranger}"))).await;
        assert_eq!((kicked.status, &kicked.body["had_session"]), (200, &json!(false)));
        let room = backend.get(&format!("/v1/rooms/{stranger}")).await;
        assert_eq!(room.says(), (404, "no-such-room"));
        let mut rooms = backend.get("/v1/rooms").await.body["rooms"].clone();
        let list = rooms.as_array_mut().unwrap();
        list.sort_by_key(|room| room["count"].as_u64());
        assert_eq!(
            rooms,
            json!([{ "room": self.own, "count": 1 }, { "room": "lobby", "count": 2 }])
        );
    }
}

/// Checks that two clusters, which share a Redis, do not know of each other.
async fn are_apart(first: &Cluster, second: &Cluster) {
    for tenant in TENANTS {
        let mut a = Party::start(first, tenant, "eve").await;
        let mut b = Party::start(second, tenant, "mallory").await;
        // A message that crosses in the first round comes before those of the second.
        for round in 1..=2 {
            a.send(&format!("first {round}")).await;
            b.send(&format!("second {round}")).await;
        }
        a.receives(["first 1", "first 2"]).await;
        b.receives(["second 1", "second 2"]).await;
        a.knows_nothing_of("mallory").await;
        b.knows_nothing_of("eve").await;
        a.backend.get("/v1/peers/eve").await.is_online();
        b.backend.get("/v1/peers/mallory").await.is_online();
        a_revocation_counts_at_home(first, second, tenant, &a, &b).await;
        a_session_ends_at_home(a, b).await;
    }
    for node in first.nodes.iter().chain(&second.nodes) {
        assert!(node.pid().is_some(), "{} runs", node.name());
    }
}

impl crate::Answer {
    fn is_online(&self) {
        assert_eq!(self.body["state"], "online", "{self:?}");
    }
}

async fn a_revocation_counts_at_home(first: &Cluster, second: &Cluster, tenant: &str, a: &Party, b: &Party) {
    let claims = Claims {
        jti: Some("leaked".into()),
        ..of(tenant, "carol")
    };
    let body = format!("{{\"jti\":\"leaked\",\"until\":{}}}", claims.exp);
    assert_eq!(a.backend.post("/v1/revocations", &body).await.status, 201);
    let at_home = options(first, 1, &claims);
    let is_refused = async || match Client::connect(&at_home).await {
        Err(ConnectError::Refused { problem, .. }) => problem.filter(|found| found.code == "token-revoked"),
        Ok(_) | Err(_) => None,
    };
    wait_until("the other node knows it", PATIENCE, is_refused)
        .await
        .unwrap();
    for node in 0..second.nodes.len() {
        let elsewhere = Client::connect(&options(second, node, &claims)).await;
        assert!(elsewhere.is_ok(), "{:?}", elsewhere.err());
    }
    let listed = b.backend.get("/v1/revocations").await;
    assert_eq!(listed.body["revocations"], json!([]));
}

/// The end of a session is seen by the watchers of its own cluster alone.
async fn a_session_ends_at_home(mut a: Party, mut b: Party) {
    for watcher in [&mut a.alice, &mut b.alice] {
        let id = watcher.next_id();
        let watch = format!("{{\"type\":\"watch\",\"peers\":[\"bob\"],\"id\":{id}}}");
        watcher.send_text(watch).await.unwrap();
        assert_eq!(states(watcher, Some(id)).await, [PresenceState::Online]);
    }
    let kicked = answer(a.backend.request(Method::DELETE, "/v1/peers/bob")).await;
    assert_eq!(kicked.body["had_session"], true);
    assert_eq!(states(&mut a.alice, None).await, [PresenceState::Offline]);
    b.backend.get("/v1/peers/bob").await.is_online();
    drop(b.bob);
    assert_eq!(
        states(&mut b.alice, None).await,
        [PresenceState::Detached],
        "the first change that it hears of is that of its own bob"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_with_different_prefixes_on_one_redis_of_any_mode_know_nothing_of_each_other() {
    for layout in RedisLayout::ALL {
        let first = Cluster::start_on(layout, 2, "").await.unwrap();
        // One prefix is the beginning of the other.
        let broker = format!("redis_key_prefix = \"sb2\"\n{}", first.redis.broker_toml());
        let second = first.start_second(&broker).await.unwrap();
        are_apart(&first, &second).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_with_different_databases_of_one_redis_know_nothing_of_each_other() {
    let first = Cluster::start_on(RedisLayout::Standalone, 2, "").await.unwrap();
    let broker = format!("redis_urls = [\"{}/3\"]\n", first.redis.url());
    let second = first.start_second(&broker).await.unwrap();
    are_apart(&first, &second).await;
}
