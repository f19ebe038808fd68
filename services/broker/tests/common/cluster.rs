//! Two nodes on a Redis Cluster, for the tests of failovers and of slots that move.

use std::time::{Duration, Instant};

use switchboard_core::Presence;
use switchboard_harness::{DeploymentOptions, RedisDeployment, RedisServer, wait_until};

use super::{
    Node, key, next_mid,
    redis::{config, deployment, two_nodes},
    until_presence,
};

/// How long the bus may need to hear everything again.
pub(crate) const HEALED_WITHIN: Duration = Duration::from_secs(20);

/// Peers, many more than masters: several slots of each master have some.
pub(crate) const PEERS: u8 = 60;

pub(crate) struct Scene {
    pub(crate) redis: RedisDeployment,
    pub(crate) n1: Node,
    pub(crate) n2: Node,
}

impl Scene {
    /// Two nodes; the peers are on the second. None where there is no Redis.
    pub(crate) async fn start() -> Option<Self> {
        Self::with_replicas(3).await
    }

    /// The same, with so many replicas.
    pub(crate) async fn with_replicas(replicas: usize) -> Option<Self> {
        let layout = format!("cluster:3+{replicas}");
        let redis = deployment(&layout, DeploymentOptions::default()).await?;
        let (n1, n2) = two_nodes(&config(&redis), (0..PEERS).map(name)).await;
        Some(Self { redis, n1, n2 })
    }

    /// Waits until every peer hears what the other node publishes; how long that took.
    pub(crate) async fn all_hear(&self) -> Duration {
        let since = Instant::now();
        for number in 0..PEERS {
            hears(&self.n1, &self.n2, &name(number)).await;
        }
        let status = self.n2.broker.status();
        assert_eq!(
            (status.desired, status.confirmed),
            (usize::from(PEERS), usize::from(PEERS)),
            "{status:?}"
        );
        since.elapsed()
    }

    /// Every record names its peer's owner.
    pub(crate) async fn all_own(&self) {
        for number in 0..PEERS {
            let wanted = Presence::Attached {
                node: self.n2.id.clone(),
            };
            until_presence(&self.n1, &name(number), &wanted).await;
        }
        assert_eq!(self.n2.takeovers(), [], "nobody lost a peer");
    }
}

pub(crate) fn name(number: u8) -> String {
    format!("p{number}")
}

/// How long a message may need before another one is sent, as the core transmits it again.
const AGAIN_AFTER: Duration = Duration::from_millis(150);

/// Publishes until `to` hears one of the messages.
pub(crate) async fn hears(from: &Node, at: &Node, to: &str) {
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut last: Option<Instant> = None;
    let received = async || {
        if last.is_none_or(|last| last.elapsed() >= AGAIN_AFTER) {
            let envelope = format!("{to}-{}", next_mid()).into_bytes();
            // While the bus is down, a send is refused.
            let _ = from.broker.publish(next_mid(), &key(to), envelope.clone());
            sent.push(envelope);
            last = Some(Instant::now());
        }
        sent.iter()
            .any(|envelope| at.received(envelope) > 0)
            .then_some(())
    };
    wait_until(&format!("{to} hears"), HEALED_WITHIN, received)
        .await
        .unwrap();
}

impl Scene {
    /// The shard channels that match, with their slots, over all masters.
    pub(crate) async fn channels(&self, pattern: &str) -> Vec<(String, u16)> {
        let mut found = Vec::new();
        for master in self.redis.masters().await {
            let channels: Vec<String> = master
                .command(&["PUBSUB", "SHARDCHANNELS", pattern])
                .await
                .unwrap();
            for channel in channels {
                let slot: u64 = master.command(&["CLUSTER", "KEYSLOT", &channel]).await.unwrap();
                found.push((channel, u16::try_from(slot).unwrap()));
            }
        }
        found
    }
}

/// The slot of a name in Redis, its master, and another master.
pub(crate) async fn place_of<'a>(
    redis: &'a RedisDeployment,
    name: &str,
) -> (u16, &'a RedisServer, &'a RedisServer) {
    let slot: u64 = redis.command(&["CLUSTER", "KEYSLOT", name]).await.unwrap();
    let slot = u16::try_from(slot).unwrap();
    let masters = redis.slots().await.unwrap();
    let is_owner = |(_, slots): &&(&RedisServer, Vec<u16>)| slots.contains(&slot);
    let from = masters.iter().find(is_owner).unwrap().0;
    let to = masters.iter().find(|(master, _)| master.port() != from.port());
    (slot, from, to.unwrap().0)
}
