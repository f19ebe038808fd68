//! The memory of the nodes and of Redis: at the beginning of an attack, and the most since.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use switchboard_harness::resident_kib;
use switchboard_testkit::Cluster;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Mebibytes of each server, at one moment or at most.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident memory of the larger of the two nodes.
    pub(crate) node_mib: f64,
    /// `used_memory` of Redis.
    pub(crate) redis_mib: f64,
}

impl Memory {
    /// The use at this moment.
    pub(crate) async fn now(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut node_mib: f64 = 0.0;
        for node in &cluster.nodes {
            let pid = node.pid().context("a node has ended")?;
            node_mib = node_mib.max(resident_kib(pid)? / 1024.0);
        }
        let info: String = cluster.redis.command(&["INFO", "memory"]).await?;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        let used: f64 = used.context("INFO has no used_memory")?.trim().parse()?;
        Ok(Self {
            node_mib,
            redis_mib: used / 1024.0 / 1024.0,
        })
    }

    fn max(self, other: Self) -> Self {
        Self {
            node_mib: self.node_mib.max(other.node_mib),
            redis_mib: self.redis_mib.max(other.redis_mib),
        }
    }
}

/// Looks again and again until it is dropped.
pub(crate) struct Watch {
    most: Arc<Mutex<Memory>>,
    task: JoinHandle<()>,
}

impl Watch {
    pub(crate) fn start(cluster: &Arc<Cluster>) -> Self {
        let most = Arc::new(Mutex::new(Memory::default()));
        let (cluster, shared) = (Arc::clone(cluster), Arc::clone(&most));
        let task = tokio::spawn(async move {
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                // A Redis that cannot answer now may answer later.
                if let Ok(now) = Memory::now(&cluster).await {
                    let mut most = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    *most = most.max(now);
                }
            }
        });
        Self { most, task }
    }

    /// The most so far.
    pub(crate) fn most(&self) -> Memory {
        *self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
