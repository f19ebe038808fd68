//! The table of a topology: for every partition, its shard. A lookup is one load, on the hot path. The table may change at
//! run time: partitions then move from shard to shard with everything this node has in them (`moving`). Not the reason for a
//! change: that is each topology's own.

use std::{
    array,
    sync::{Arc, Weak},
};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use switchboard_core::{BusServer, BusStatus, Route};
use tokio::sync::watch;

use super::moving::{self, Move};
use crate::{
    partition::{PARTITIONS, Partition, PartitionSet},
    redis::{
        shard::{
            state::{Routing, Shard},
            tables::Tables,
        },
        status::{self, ShardStatus},
    },
};

/// The shards of a cluster, and the shard of each partition.
pub(crate) struct Topology {
    routes: ArcSwap<Routes>,
    /// One change at a time.
    changing: Mutex<()>,
    /// How often the table has changed.
    changes: watch::Sender<u64>,
    /// Partitions of which nodes may have different tables.
    disputed: Mutex<PartitionSet>,
}

/// One state of the table.
#[derive(Clone)]
pub(crate) struct Routes {
    shards: Vec<Arc<Shard>>,
    by_partition: [Arc<Shard>; PARTITIONS as usize],
    /// For messages to nodes and for the cluster's load.
    for_nodes: Arc<Shard>,
}

impl Routes {
    /// `shard_of` maps each partition to one of `shards`; `for_nodes` is one of them, too.
    pub(crate) fn new(
        shards: Vec<Arc<Shard>>,
        for_nodes: Arc<Shard>,
        shard_of: impl Fn(Partition) -> Arc<Shard>,
    ) -> Self {
        Self {
            shards,
            by_partition: array::from_fn(|index| shard_of(Partition::from_index(index))),
            for_nodes,
        }
    }

    /// The shard that serves `partition`.
    pub(crate) fn shard_of(&self, partition: Partition) -> &Arc<Shard> {
        &self.by_partition[partition.index()]
    }

    /// The partitions that `shard` serves.
    pub(crate) fn partitions_of(&self, shard: &Arc<Shard>) -> PartitionSet {
        let served = Partition::all().filter(|partition| Arc::ptr_eq(self.shard_of(*partition), shard));
        served.collect()
    }
}

impl Topology {
    /// One shard serves every partition.
    pub(crate) fn single(shard: Arc<Shard>) -> Arc<Self> {
        Self::new(Routes::new(vec![Arc::clone(&shard)], Arc::clone(&shard), |_| {
            Arc::clone(&shard)
        }))
    }

    /// The topology that begins with `routes`.
    pub(crate) fn new(routes: Routes) -> Arc<Self> {
        let topology = Arc::new(Self {
            routes: ArcSwap::from_pointee(routes),
            changing: Mutex::new(()),
            changes: watch::Sender::new(0),
            disputed: Mutex::default(),
        });
        let routes = topology.routes.load();
        for shard in &routes.shards {
            shard.join(topology.routing(), &routes.partitions_of(shard));
        }
        moving::begin_for_cluster(&routes.for_nodes);
        drop(routes);
        topology
    }

    /// The present state.
    pub(crate) fn routes(&self) -> Guard<Arc<Routes>> {
        self.routes.load()
    }

    /// The shard that serves `partition`.
    pub(crate) fn shard_of(&self, partition: Partition) -> Arc<Shard> {
        Routing::shard_of(self, partition)
    }

    /// The shard for messages to nodes and for what belongs to no partition. Every node receives its own channel on every
    /// shard.
    pub(crate) fn shard_of_nodes(&self) -> Arc<Shard> {
        Arc::clone(&self.routes.load().for_nodes)
    }

    /// The way of messages to nodes about a peer of `partition`.
    pub(crate) fn route_of(&self, partition: Partition) -> Route {
        let routes = self.routes.load();
        let shard = routes.shard_of(partition);
        let index = routes.shards.iter().position(|one| Arc::ptr_eq(one, shard));
        // As many servers as a cluster has fit.
        Route(index.unwrap_or_default() as u16)
    }

    /// The shard on `route`, or the next one after it that is up while that one is not.
    pub(crate) fn shard_on(&self, route: Route) -> Arc<Shard> {
        let routes = self.routes.load();
        let first = usize::from(route.0) % routes.shards.len();
        let (before, from_first) = routes.shards.split_at(first);
        let mut candidates = from_first.iter().chain(before);
        let up = candidates.find(|shard| shard.health.is_connected());
        Arc::clone(up.unwrap_or(&routes.shards[first]))
    }

    /// The status of all shards as one.
    pub(crate) fn status(&self) -> BusStatus {
        let routes = self.routes.load();
        let shards = routes.shards.iter().map(|shard| ShardStatus {
            server: shard.health.server(),
            partitions: shard.served.set().len(),
            was_up: shard.health.was_up(),
            status: shard.status(),
        });
        status::fold(&shards.collect::<Vec<_>>())
    }

    /// Each shard, for people.
    pub(crate) fn servers(&self) -> Vec<BusServer> {
        let routes = self.routes.load();
        let servers = routes.shards.iter().map(|shard| BusServer {
            server: shard.health.server(),
            percent_of_peers: status::percent_of(shard.served.set().len()),
            status: shard.status(),
            lease_age: shard.lease.age(),
            is_lease_over: shard.lease.is_overdue(),
        });
        servers.collect()
    }

    /// Every shard.
    pub(crate) fn shards(&self) -> Vec<Arc<Shard>> {
        self.routes.load().shards.clone()
    }

    /// Tells of each change of the table.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Calls `change` with the shard that serves `partition` and its tables. The partition cannot move meanwhile.
    pub(crate) fn at<R>(&self, partition: Partition, change: impl FnOnce(&Shard, &mut Tables) -> R) -> R {
        self.shard_of(partition).at(partition, change)
    }

    /// For shards that join.
    pub(crate) fn routing(self: &Arc<Self>) -> Weak<dyn Routing> {
        let this: Weak<Self> = Arc::downgrade(self);
        this
    }

    /// Nodes may have different tables of these partitions, and of no others: an absent record of theirs proves nothing.
    pub(crate) fn set_disputed(&self, partitions: PartitionSet) {
        *self.disputed.lock() = partitions;
    }
    /// Changes the table. What this node has in partitions that get another shard moves there, unconfirmed. The shards that are
    /// no longer in it are returned: they serve nothing any more, and the caller ends them.
    pub(crate) fn apply(self: &Arc<Self>, next: Routes) -> Vec<Arc<Shard>> {
        let _one = self.changing.lock();
        let mut current = Routes::clone(&self.routes.load());
        for shard in &next.shards {
            if !contains(&current.shards, shard) {
                shard.join(self.routing(), &PartitionSet::default());
                current.shards.push(Arc::clone(shard));
            }
        }
        for (step, partitions) in steps(&current, &next) {
            for partition in partitions.iter() {
                current.by_partition[partition.index()] = Arc::clone(&step.to);
            }
            if step.with_cluster {
                current.for_nodes = Arc::clone(&step.to);
            }
            moving::run(&step, &partitions, || {
                self.routes.store(Arc::new(current.clone()))
            });
        }
        let ended = current.shards.into_iter();
        let ended = ended.filter(|shard| !contains(&next.shards, shard)).collect();
        self.routes.store(Arc::new(next));
        self.changes.send_modify(|changes| *changes += 1);
        ended
    }
}

impl Routing for Topology {
    fn shard_of(&self, partition: Partition) -> Arc<Shard> {
        Arc::clone(self.routes.load().shard_of(partition))
    }

    fn is_disputed(&self, partition: Option<Partition>) -> bool {
        let disputed = self.disputed.lock();
        partition.map_or(!disputed.is_empty(), |partition| disputed.contains(partition))
    }
}

fn contains(shards: &[Arc<Shard>], shard: &Arc<Shard>) -> bool {
    shards.iter().any(|other| Arc::ptr_eq(other, shard))
}

/// The partitions that move, for each pair of shards.
fn steps(current: &Routes, next: &Routes) -> Vec<(Move, PartitionSet)> {
    let mut steps: Vec<(Move, PartitionSet)> = Vec::new();
    let mut step_of = |from: &Arc<Shard>, to: &Arc<Shard>| {
        let is_it = |(step, _): &(Move, _)| Arc::ptr_eq(&step.from, from) && Arc::ptr_eq(&step.to, to);
        let found = steps.iter().position(is_it);
        found.unwrap_or_else(|| {
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            let with_cluster = false;
            steps.push((
                Move {
                    from,
                    to,
                    with_cluster,
                },
                PartitionSet::default(),
            ));
            steps.len() - 1
        })
    };
    let mut changes = Vec::new();
    for partition in Partition::all() {
        let (from, to) = (current.shard_of(partition), next.shard_of(partition));
        if !Arc::ptr_eq(from, to) {
            changes.push((step_of(from, to), partition));
        }
    }
    let (from, to) = (&current.for_nodes, &next.for_nodes);
    let for_nodes = (!Arc::ptr_eq(from, to)).then(|| step_of(from, to));
    for (step, partition) in changes {
        steps[step].1.insert(partition);
    }
    if let Some(step) = for_nodes {
        steps[step].0.with_cluster = true;
    }
    steps
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
