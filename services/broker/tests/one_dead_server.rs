//! Three independent Redis servers, or three masters of a Redis Cluster without replicas, of which one is killed or frozen: its own
//! peers have an outage, and all others notice nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    Node, PATIENCE, answer, claim, configured_node, keep, key, next_mid, ranges,
    redis::{config, deployment, two_nodes},
    resume, session_id, token, until,
};
use switchboard_broker::RedisConfig;
use switchboard_core::{
    Append, BusState, Presence, RevocationChange, StreamBounds, StreamEvent, TenantUsage,
};
use switchboard_harness::{DeploymentOptions, RedisDeployment, resp::Reply, wait_until};
use switchboard_protocol::{NodeMessage, Revocation};
use tokio::time::timeout;

/// A peer of a healthy server waits for nothing: each of its steps takes less.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Peers of the scene; each server has some of them.
const PEERS: u8 = 18;

struct Scene {
    redis: RedisDeployment,
    config: RedisConfig,
    n1: Node,
    n2: Node,
    /// The number of the server of each peer.
    servers: Vec<usize>,
}

fn name(peer: u8) -> String {
    format!("p{peer}")
}

impl Scene {
    /// Two nodes; n2 has all peers, each also in a room of its own name.
    async fn start() -> Option<Self> {
        Self::start_on("sharded:3", DeploymentOptions::default()).await
    }

    /// Masters without replicas. While one is away, the others go on.
    async fn in_redis_cluster() -> Option<Self> {
        let mut options = DeploymentOptions::default();
        let others_go_on = ["--cluster-require-full-coverage", "no"].map(str::to_owned);
        options.server.arguments.extend(others_go_on);
        Self::start_on("cluster:3+0", options).await
    }

    async fn start_on(layout: &str, options: DeploymentOptions) -> Option<Self> {
        let redis = deployment(layout, options).await?;
        let config = config(&redis);
        let (n1, n2) = two_nodes(&config, (0..PEERS).map(name)).await;
        let mut servers = Vec::new();
        for peer in 0..PEERS {
            n2.join(&name(peer), &name(peer), peer + 1).await;
            servers.push(server_of(&redis, &name(peer)).await);
        }
        Some(Self {
            redis,
            config,
            n1,
            n2,
            servers,
        })
    }

    fn peers_of(&self, victim: usize) -> Vec<u8> {
        (0..PEERS)
            .filter(|peer| self.servers[usize::from(*peer)] == victim)
            .collect()
    }

    /// Two peers of each healthy server.
    fn others(&self, victim: usize) -> Vec<u8> {
        let healthy = (0..3).filter(|server| *server != victim);
        let others = healthy.flat_map(|server| self.peers_of(server).into_iter().take(2));
        others.collect()
    }

    /// Everything that a peer of a healthy server does works as ever.
    async fn works(&self, peer: u8) {
        let (name, session) = (name(peer), peer + 1);
        let all = async {
            let text = format!("to {name} at {:?}", std::time::Instant::now());
            assert_eq!(self.n1.publish(&name, text.as_bytes()).await, Ok(1));
            until("the message came", AT_ONCE, || {
                self.n2.received(text.as_bytes()) == 1
            })
            .await;
            assert_eq!(
                self.n1.locate(&name).await,
                Ok(Presence::Attached {
                    node: self.n2.id.clone()
                })
            );
            let ack = NodeMessage::Takeover {
                key: key(&name),
                session: session_id(200),
                fence: 1,
            };
            let before = self.n1.takeovers().len();
            let route = self.n2.broker.route_of(&key(&name));
            self.n2
                .broker
                .send_to_node(&self.n1.id, route, ack.encode())
                .unwrap();
            until("the message to the node came", AT_ONCE, || {
                self.n1.takeovers().len() > before
            })
            .await;
            // Another session of the peer leaves, and is resumed on the other node.
            let (peer_key, kept) = (key(&name), keep(ranges(3, &[])));
            self.n2.broker.detach(&key(&name), session_id(session), 0, kept);
            let resumed = self
                .n1
                .broker
                .attach(&peer_key, resume(token(session), Duration::from_millis(300)));
            assert!(resumed.await.unwrap().snapshot.is_some());
            self.n1.broker.detach(&key(&name), session_id(session), 0, None);
            assert!(
                self.n2
                    .broker
                    .attach(&key(&name), claim(session))
                    .await
                    .unwrap()
                    .confirmed
            );
        };
        let done = timeout(4 * AT_ONCE, all).await;
        assert!(done.is_ok(), "{name} waited for a dead server");
        let room = timeout(4 * AT_ONCE, async {
            assert_eq!(self.n1.members(&name).await, Ok(vec![name.clone()]));
            assert_eq!(self.n1.publish_to_room(&name, b"hello").await, Ok(()));
        });
        assert!(room.await.is_ok(), "the room {name} waited for a dead server");
    }

    /// The nodes name the server and its share, and stay ready.
    async fn is_named(&self, victim: usize) {
        let port = self.redis.servers()[victim].port().to_string();
        until("the dead server is named", PATIENCE, || {
            let status = self.n1.broker.status();
            status.state == BusState::Degraded && status.detail.contains(&port)
        })
        .await;
        let detail = self.n1.broker.status().detail;
        assert!(
            detail.contains("33 % of the peers") || detail.contains("34 %"),
            "{detail}"
        );
    }

    /// No peer of the dead server is called offline.
    async fn has_an_outage(&self, victim: usize) {
        for peer in self.peers_of(victim) {
            let located = self.n1.locate(&name(peer)).await;
            assert!(located.is_err(), "{} is {located:?}", name(peer));
        }
    }

    async fn is_healed(&self, victim: usize) {
        self.n1.is_up().await;
        self.n2.is_up().await;
        for peer in self.peers_of(victim) {
            let hears = async || (self.n1.publish(&name(peer), b"again").await == Ok(1)).then_some(());
            wait_until("the peer is reachable again", PATIENCE, hears)
                .await
                .unwrap();
            self.n1.until_members(&name(peer), &[&name(peer)]).await;
        }
    }
}

async fn server_of(redis: &RedisDeployment, peer: &str) -> usize {
    for (number, server) in redis.servers().iter().enumerate() {
        let pattern = format!("sb:*:s:acme/{peer}");
        let keys: Vec<Reply> = server.command(&["KEYS", &pattern]).await.unwrap();
        if !keys.is_empty() {
            return number;
        }
    }
    panic!("{peer} has no record");
}

#[tokio::test]
async fn a_killed_server_hurts_only_its_own_peers_and_heals_when_it_is_back_empty() {
    if let Some(scene) = Scene::start().await {
        survives_kills(&scene).await;
    }
}

#[tokio::test]
async fn a_killed_master_without_a_replica_hurts_only_its_own_peers_and_heals_when_it_is_back_empty() {
    if let Some(scene) = Scene::in_redis_cluster().await {
        survives_kills(&scene).await;
    }
}

async fn survives_kills(scene: &Scene) {
    for victim in 0..3 {
        scene.redis.servers()[victim].kill().await.unwrap();
        for peer in scene.others(victim) {
            scene.works(peer).await;
        }
        scene.is_named(victim).await;
        scene.has_an_outage(victim).await;
        for peer in scene.others(victim) {
            scene.works(peer).await;
        }
        scene.redis.servers()[victim].start().await.unwrap();
        scene.is_healed(victim).await;
    }
}

#[tokio::test]
async fn a_frozen_server_hurts_only_its_own_peers_and_heals_when_it_goes_on() {
    if let Some(scene) = Scene::start().await {
        survives_freezes(&scene).await;
    }
}

#[tokio::test]
async fn a_frozen_master_without_a_replica_hurts_only_its_own_peers_and_heals_when_it_goes_on() {
    if let Some(scene) = Scene::in_redis_cluster().await {
        survives_freezes(&scene).await;
    }
}

async fn survives_freezes(scene: &Scene) {
    for victim in 0..3 {
        scene.redis.servers()[victim].freeze().unwrap();
        // At once, and before anybody has noticed.
        for peer in scene.others(victim) {
            scene.works(peer).await;
        }
        scene.is_named(victim).await;
        scene.has_an_outage(victim).await;
        scene.redis.servers()[victim].thaw().unwrap();
        scene.is_healed(victim).await;
    }
}

#[tokio::test]
async fn a_node_that_starts_while_a_master_is_away_serves_the_peers_of_the_others() {
    let Some(scene) = Scene::in_redis_cluster().await else {
        return;
    };
    scene.redis.servers()[1].kill().await.unwrap();
    scene.is_named(1).await;
    let n3 = configured_node("n3", &scene.config);
    let degraded = || n3.broker.status().state == BusState::Degraded;
    until("the new node has seen which masters are up", PATIENCE, degraded).await;
    for peer in scene.others(1) {
        assert_eq!(n3.publish(&name(peer), b"from the new node").await, Ok(1));
    }
    scene.redis.servers()[1].start().await.unwrap();
    n3.is_up().await;
    scene.is_healed(1).await;
}

#[tokio::test]
async fn while_the_first_server_is_down_nothing_of_the_whole_cluster_is_silently_lost() {
    let Some(scene) = Scene::start().await else { return };
    let revoke = async |node: &Node, text: &str| {
        let revocation = Revocation::parse(text, now_s() + 100).unwrap();
        let change = RevocationChange {
            revocation,
            replaces: None,
        };
        node.broker.revoke(&change).await
    };
    revoke(&scene.n1, "p acme/alice 5").await.unwrap();
    // A server that dies may have answered before it has published.
    until("a node has received it", PATIENCE, || {
        knows(&scene.n1, "p acme/alice 5")
    })
    .await;
    scene.redis.servers()[0].kill().await.unwrap();
    assert!(
        revoke(&scene.n1, "p acme/bob 6").await.is_err(),
        "said to the caller"
    );
    let record = scene
        .n1
        .calls
        .begin("acme/c1".to_owned(), "{}".to_owned(), PATIENCE);
    assert!(record.await.is_err());
    // A node that starts now serves the peers of the others; it does not know the revocations, and the core takes no token.
    let n3 = configured_node("n3", &scene.config);
    let degraded = || n3.broker.status().state == BusState::Degraded;
    until("the new node has seen which servers are up", PATIENCE, degraded).await;
    assert_eq!(*n3.seen.revocations_read.lock(), 0);
    scene.redis.servers()[0].start().await.unwrap();
    until(
        "the nodes wrote the revocation back, and the new node read it",
        PATIENCE,
        || knows(&n3, "p acme/alice 5"),
    )
    .await;
    revoke(&scene.n1, "p acme/bob 6").await.unwrap();
    until("everybody knows the next one", PATIENCE, || {
        knows(&n3, "p acme/bob 6")
    })
    .await;
}

/// What `node` knows of the connections of the others, in all and of the tenant acme; it has `own` itself.
fn counts(node: &Node, own: usize) -> (Option<Vec<usize>>, Option<usize>) {
    let usage = TenantUsage::new([("acme".to_owned(), own)].into_iter().collect());
    let load = node.broker.cluster_load(Some(own));
    let tenants = node.broker.tenant_usage(usage);
    (
        load.map(|load| load.others),
        tenants.map(|tenants| tenants.connections("acme")),
    )
}

#[tokio::test]
async fn while_the_first_server_is_down_nodes_count_only_their_own_and_events_are_refused_for_later() {
    let Some(scene) = Scene::start().await else { return };
    let (n1, n2) = (&scene.n1, &scene.n2);
    let until_known = async |wanted: (Option<Vec<usize>>, Option<usize>)| {
        let is_known = async || {
            counts(n2, 5);
            (counts(n1, 1) == wanted).then_some(())
        };
        let what = format!("n1 knows {wanted:?}");
        wait_until(&what, PATIENCE, is_known).await.unwrap();
    };
    let append = async || {
        let event = StreamEvent {
            id: "e1".into(),
            key: "acme/p1".into(),
            at_ms: 1,
            body: "{}".into(),
        };
        let append = Append {
            stream: "app".into(),
            event: Arc::new(event),
            at_most_every: None,
        };
        let bounds = StreamBounds {
            events_per_partition: 10,
            dead: 1,
        };
        timeout(PATIENCE, n1.streams.append(&[append], bounds))
            .await
            .unwrap()
    };
    let first = &scene.redis.servers()[0];
    for is_frozen in [false, true] {
        until_known((Some(vec![5]), Some(5))).await;
        assert_eq!(append().await, Ok(0));
        if is_frozen {
            first.freeze().unwrap();
        } else {
            first.kill().await.unwrap();
        }
        until_known((None, None)).await;
        assert!(append().await.is_err(), "the node keeps it, and tries again");
        if is_frozen {
            first.thaw().unwrap();
        } else {
            first.start().await.unwrap();
        }
        n1.is_up().await;
        n2.is_up().await;
    }
    until_known((Some(vec![5]), Some(5))).await;
}

/// Whether `node` has read or received this revocation. It may have done both.
fn knows(node: &Node, text: &str) -> bool {
    let known = node.seen.revocations.lock();
    known.iter().any(|revocation| revocation.text() == text)
}

#[tokio::test]
async fn a_frozen_server_does_not_keep_a_node_from_releasing_the_peers_of_the_others() {
    for victim in [0, 1] {
        let Some(scene) = Scene::start().await else { return };
        let others = scene.others(victim);
        scene.redis.servers()[victim].freeze().unwrap();
        scene.n2.broker.shutdown().await;
        for peer in others {
            let mid = next_mid();
            scene
                .n1
                .broker
                .locate(switchboard_core::Asker::Send(mid), &key(&name(peer)))
                .unwrap();
            let found = answer(&scene.n1.seen.located, mid).await.unwrap();
            assert_eq!(found.presence, Presence::Detached, "{}", name(peer));
        }
    }
}

fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}
