//! Redis Cluster: each master that has partitions is a shard, and the map says which. One task reads the map when a server sends
//! commands or subscriptions elsewhere, when a connection is lost, and every few seconds, and applies what has changed.
//!
//! A shard is found again by its **home**, one of its partitions: its own names have that tag. So a failover gives a shard another
//! address, and a slot that moves takes its partition from one shard to another (docs/adr/0050).

mod map;
mod refresh;
mod runs;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::table::{Routes, Topology};
use crate::{
    keys::CLUSTER_PARTITION,
    partition::Partition,
    redis::{
        config::RedisConfigError,
        detour_run,
        detours::{Begun, Detours},
        endpoint::{Address, Assigned, Endpoint, Location},
        shard::{health::ConnectionState, shutdown, starter::Starter, state::Shard},
    },
};
use map::Map;
use refresh::Refresh;

/// How often the map is read while nothing seems to change.
const REFRESH_EVERY: Duration = Duration::from_secs(2);

/// How often while a shard is not connected: a replica may have taken its master's place.
const REFRESH_WHILE_DOWN: Duration = Duration::from_millis(200);

/// The shortest time between two readings.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// How long a shard that ends may take to answer what was queued.
const DRAIN: Duration = Duration::from_secs(2);

/// How often a map that cannot be read is logged.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// One shard, and the cell with its address.
struct Member {
    shard: Arc<Shard>,
    assigned: Assigned,
}

/// The cluster as this node knows it.
struct Cluster {
    starter: Starter,
    seed: Endpoint,
    topology: Arc<Topology>,
    /// By their homes.
    members: HashMap<Partition, Member>,
    detours: Arc<Detours>,
}

/// Starts without any server: all partitions are on a shard that leads nowhere, until the map is read.
///
/// # Errors
/// [`RedisConfigError`] when the configuration can never work.
pub(super) fn open(endpoints: &[Endpoint], starter: &Starter) -> Result<Arc<Topology>, RedisConfigError> {
    let Some(seed) = endpoints.first() else {
        return Err(RedisConfigError::UrlCount("one URL or more"));
    };
    if endpoints.iter().any(|seed| seed.database != 0) {
        return Err(RedisConfigError::Url(
            "a Redis Cluster has the database 0 only".to_owned(),
        ));
    }
    let (detours, begun) = Detours::new();
    let mut starter = starter.clone();
    starter.shared.detours = Some(Arc::clone(&detours));
    let names = seed.names.in_cluster(CLUSTER_PARTITION);
    let nowhere = starter.idle(seed.at(Location::Assigned(Assigned::default()), names))?;
    let topology = Topology::single(nowhere);
    let cluster = Cluster {
        seed: seed.clone(),
        topology: Arc::clone(&topology),
        members: HashMap::new(),
        detours,
        starter,
    };
    let refresh = Refresh::new(endpoints.to_vec());
    cluster.start(refresh, begun);
    Ok(topology)
}

impl Cluster {
    fn start(self, refresh: Refresh, begun: mpsc::Receiver<Begun>) {
        let starter = self.starter.clone();
        let runner = detour_run::Runner {
            detours: Arc::clone(&self.detours),
            topology: Arc::clone(&self.topology),
            events: Arc::clone(&starter.events),
            tasks: starter.tasks.clone(),
            end: starter.shared.end.clone(),
            stuck: Mutex::default(),
        };
        starter.spawn(detour_run::run(Arc::new(runner), begun));
        starter.spawn(self.run(refresh));
    }

    /// Follows the map until it is dropped.
    async fn run(mut self, mut refresh: Refresh) {
        let mut failing: Option<Instant> = None;
        let mut runs_due = true;
        let mut spread_at: Option<Instant> = None;
        loop {
            match refresh.read().await {
                Ok(map) => {
                    if failing.take().is_some() {
                        tracing::info!("the map of the Redis Cluster is read again");
                    }
                    if self.apply(&map) {
                        (runs_due, spread_at) = (true, None);
                    }
                    self.retry_subscriptions();
                }
                Err(why) if failing.is_none_or(|since| since.elapsed() >= REMIND_EVERY) => {
                    failing = Some(Instant::now());
                    self.note_failure(&why);
                    tracing::warn!(
                        why,
                        "the map of the Redis Cluster cannot be read; the last one counts"
                    );
                }
                Err(_) => {}
            }
            let is_well = self
                .topology
                .shards()
                .iter()
                .all(|shard| shard.health.is_connected());
            if runs_due && spread_at.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
                spread_at = Some(Instant::now());
                match runs::spread(&self.topology).await {
                    Ok(is_complete) => runs_due = !is_complete,
                    Err(why) => tracing::debug!(why, "the runs of nodes were not noted on every shard"),
                }
            }
            let pause = if is_well {
                REFRESH_EVERY
            } else {
                REFRESH_WHILE_DOWN
            };
            sleep(MIN_PAUSE).await;
            // Notified or not, the map is read.
            let _ = timeout(pause, self.detours.stale.notified()).await;
        }
    }

    /// Before the first map, the shard that leads nowhere says why.
    fn note_failure(&self, why: &str) {
        if self.members.is_empty() {
            let nowhere = self.topology.shard_of_nodes();
            nowhere
                .health
                .set_publisher(ConnectionState::Down(why.to_owned()));
        }
    }

    /// Makes the shards as `map` says; whether partitions have moved.
    fn apply(&mut self, map: &Map) -> bool {
        let current = Arc::clone(&self.topology.routes());
        let mut members = HashMap::new();
        let mut by_partition: HashMap<Partition, Arc<Shard>> = HashMap::new();
        for group in map.groups() {
            let Some((home, member)) = group
                .home()
                .and_then(|home| Some((home, self.member(home, &group.address)?)))
            else {
                continue;
            };
            move_to(&member, group.address);
            for partition in group.partitions.iter() {
                by_partition.insert(partition, Arc::clone(&member.shard));
            }
            members.insert(home, member);
        }
        // Whatever nobody serves stays where it is.
        let shard_of = |partition: Partition| {
            let shard = by_partition.get(&partition);
            Arc::clone(shard.unwrap_or_else(|| current.shard_of(partition)))
        };
        let is_same = |partition: Partition| Arc::ptr_eq(&shard_of(partition), current.shard_of(partition));
        if Partition::all().all(is_same) {
            self.members.extend(members);
            return false;
        }
        let mut shards: Vec<Arc<Shard>> = Vec::new();
        for partition in Partition::all() {
            let shard = shard_of(partition);
            if !shards.iter().any(|known| Arc::ptr_eq(known, &shard)) {
                shards.push(shard);
            }
        }
        let servers: Vec<String> = shards.iter().map(|shard| shard.endpoint.shown()).collect();
        let next = Routes::new(shards, shard_of(CLUSTER_PARTITION), shard_of);
        tracing::info!(
            servers = servers.join(" "),
            "partitions have other masters in the Redis Cluster"
        );
        for ended in self.topology.apply(next) {
            self.starter.spawn(end(ended));
        }
        // Those that still have partitions that nobody serves stay known.
        let is_used = |member: &Member| {
            self.topology
                .shards()
                .iter()
                .any(|shard| Arc::ptr_eq(shard, &member.shard))
        };
        self.members.retain(|_, member| is_used(member));
        self.members.extend(members);
        true
    }

    /// The shard whose home this is; started if there is none. None if it cannot be started, which the configuration excludes.
    fn member(&self, home: Partition, address: &Address) -> Option<Member> {
        if let Some(Member { shard, assigned }) = self.members.get(&home) {
            return Some(Member {
                shard: Arc::clone(shard),
                assigned: assigned.clone(),
            });
        }
        let assigned = Assigned::default();
        assigned.set(address.clone());
        let location = Location::Assigned(assigned.clone());
        let endpoint = self.seed.at(location, self.seed.names.in_cluster(home));
        let shard = self.starter.start(endpoint).ok()?;
        Some(Member { shard, assigned })
    }

    /// Subscriptions that a server refused are tried again: the map may be the same, and the server not yet have known it.
    fn retry_subscriptions(&self) {
        for shard in self.topology.shards() {
            if shard.tables.lock().subscriptions.retry_deferred() {
                shard.subscription_changes.notify_one();
            }
        }
    }
}

/// The shard is at `address` now: its connections go there.
fn move_to(member: &Member, address: Address) {
    if member.assigned.get().as_ref() == Ok(&address) {
        return;
    }
    member.assigned.set(address);
    let shard = &member.shard;
    let (node, server) = (shard.node(), shard.endpoint.shown());
    tracing::info!(%node, server, "a master of the Redis Cluster has another address");
    shard.server_changed();
}

/// Ends a shard that serves nothing any more: what was queued is answered first.
async fn end(shard: Arc<Shard>) {
    // What it does not answer in time, its publisher refuses.
    let _ = timeout(DRAIN, shutdown::flush(&shard)).await;
    shard.end.cancel();
    // Some may hold it for long.
    shard.telemetry.end();
}
