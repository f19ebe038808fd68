//! The series of each Redis server of a bus. They carry the server as the label `shard`, and end with their last user. Not the
//! events that they count (`shard`).

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, Result,
};

use crate::{
    catalogue as c,
    labels::{BusRebuild, RedisOp},
    register::{counter_family, gauge_family, histogram_family},
};

/// The metrics that have the label `shard`.
pub(crate) struct ShardFamilies {
    bus_up: IntGaugeVec,
    probe_seconds: HistogramVec,
    probes_missed: IntCounterVec,
    rebuilds: IntCounterVec,
    memory_short: IntGaugeVec,
    may_evict: IntGaugeVec,
    losses: IntCounterVec,
    desired: IntGaugeVec,
    confirmed: IntGaugeVec,
    lease_renewed: IntGaugeVec,
    errors: IntCounterVec,
    /// The servers that have series.
    shards: Mutex<HashMap<String, Weak<Series>>>,
    /// Users of series so far.
    users: AtomicU64,
}

impl ShardFamilies {
    pub(crate) fn register(r: &Registry) -> Result<Self> {
        Ok(Self {
            bus_up: gauge_family(r, &c::BUS_UP)?,
            probe_seconds: histogram_family(r, &c::BUS_PROBE_SECONDS)?,
            probes_missed: counter_family(r, &c::BUS_PROBES_MISSED_TOTAL)?,
            rebuilds: counter_family(r, &c::BUS_REBUILDS_TOTAL)?,
            memory_short: gauge_family(r, &c::REDIS_MEMORY_SHORT)?,
            may_evict: gauge_family(r, &c::REDIS_MAY_EVICT)?,
            losses: counter_family(r, &c::REDIS_LOSSES_TOTAL)?,
            desired: gauge_family(r, &c::SUBSCRIPTIONS_DESIRED)?,
            confirmed: gauge_family(r, &c::SUBSCRIPTIONS_CONFIRMED)?,
            lease_renewed: gauge_family(r, &c::LEASE_RENEWED)?,
            errors: counter_family(r, &c::REDIS_ERRORS_TOTAL)?,
            shards: Mutex::default(),
            users: AtomicU64::new(0),
        })
    }
}

/// The series of one server, resolved once.
pub(crate) struct Series {
    families: Arc<ShardFamilies>,
    shard: String,
    /// The user that sets the gauges.
    owner: AtomicU64,
    pub(crate) bus_up: IntGauge,
    pub(crate) probe_seconds: Histogram,
    pub(crate) probes_missed: IntCounter,
    pub(crate) rebuilds: Vec<IntCounter>,
    pub(crate) memory_short: IntGauge,
    pub(crate) may_evict: IntGauge,
    pub(crate) losses: IntCounter,
    pub(crate) desired: IntGauge,
    pub(crate) confirmed: IntGauge,
    pub(crate) lease_renewed: IntGauge,
    pub(crate) errors: Vec<IntCounter>,
}

impl Series {
    fn new(families: &Arc<ShardFamilies>, shard: &str) -> Self {
        let rebuilds = BusRebuild::ALL.map(|reason| [shard, reason.as_str()]);
        let errors = RedisOp::ALL.map(|op| [shard, op.as_str()]);
        Self {
            bus_up: families.bus_up.with_label_values(&[shard]),
            probe_seconds: families.probe_seconds.with_label_values(&[shard]),
            probes_missed: families.probes_missed.with_label_values(&[shard]),
            rebuilds: (rebuilds
                .iter()
                .map(|labels| families.rebuilds.with_label_values(labels)))
            .collect(),
            memory_short: families.memory_short.with_label_values(&[shard]),
            may_evict: families.may_evict.with_label_values(&[shard]),
            losses: families.losses.with_label_values(&[shard]),
            desired: families.desired.with_label_values(&[shard]),
            confirmed: families.confirmed.with_label_values(&[shard]),
            lease_renewed: families.lease_renewed.with_label_values(&[shard]),
            errors: (errors
                .iter()
                .map(|labels| families.errors.with_label_values(labels)))
            .collect(),
            shard: shard.to_owned(),
            owner: AtomicU64::new(0),
            families: Arc::clone(families),
        }
    }
}

/// The series of one user, which those of another server may replace at run time. None once the user has ended.
pub(crate) struct SeriesOfShard {
    user: u64,
    series: RwLock<Option<Arc<Series>>>,
}

impl SeriesOfShard {
    pub(crate) fn new(families: &Arc<ShardFamilies>, shard: &str) -> Self {
        let user = 1 + families.users.fetch_add(1, Ordering::Relaxed);
        Self {
            user,
            series: RwLock::new(Some(families.series(shard, user))),
        }
    }

    /// Counts or observes something.
    pub(crate) fn note(&self, note: impl FnOnce(&Series)) {
        if let Some(series) = self.series.read().as_deref() {
            note(series);
        }
    }

    /// Sets a gauge. A user that ends must not overwrite what the next one on the same server says.
    pub(crate) fn set(&self, gauge: impl Fn(&Series) -> &IntGauge, value: i64) {
        self.note(|series| {
            if series.owner.load(Ordering::Relaxed) == self.user {
                gauge(series).set(value);
            }
        });
    }

    /// Uses the series of `shard` from now on. The node is not on the bus there yet.
    pub(crate) fn move_to(&self, families: &Arc<ShardFamilies>, shard: &str) {
        let next = families.series(shard, self.user);
        next.bus_up.set(0);
        self.replace(Some(next));
    }

    pub(crate) fn end(&self) {
        self.replace(None);
    }

    fn replace(&self, next: Option<Arc<Series>>) {
        let old = std::mem::replace(&mut *self.series.write(), next);
        // Outside the lock: the last user of series removes them.
        drop(old);
    }
}

impl ShardFamilies {
    /// The series of `shard`, as `host:port`. All of one server share them, and `user` sets the gauges from now on.
    fn series(self: &Arc<Self>, shard: &str, user: u64) -> Arc<Series> {
        let mut shards = self.shards.lock();
        let known = shards.get(shard).and_then(Weak::upgrade);
        let series = known.unwrap_or_else(|| {
            let series = Arc::new(Series::new(self, shard));
            shards.insert(shard.to_owned(), Arc::downgrade(&series));
            series
        });
        series.owner.store(user, Ordering::Relaxed);
        series
    }
}

impl Drop for Series {
    fn drop(&mut self) {
        let (families, shard) = (&self.families, &[self.shard.as_str()]);
        let mut shards = families.shards.lock();
        if shards
            .get(&self.shard)
            .is_some_and(|series| series.strong_count() > 0)
        {
            // Begun again in this moment, with the same series.
            return;
        }
        shards.remove(&self.shard);
        // They are there, so there is no error.
        let gauges = [
            &families.bus_up,
            &families.memory_short,
            &families.may_evict,
            &families.desired,
            &families.confirmed,
            &families.lease_renewed,
        ];
        for family in gauges {
            let _ = family.remove_label_values(shard);
        }
        let _ = families.probe_seconds.remove_label_values(shard);
        for family in [&families.probes_missed, &families.losses] {
            let _ = family.remove_label_values(shard);
        }
        for reason in BusRebuild::ALL {
            let _ = families
                .rebuilds
                .remove_label_values(&[shard[0], reason.as_str()]);
        }
        for op in RedisOp::ALL {
            let _ = families.errors.remove_label_values(&[shard[0], op.as_str()]);
        }
    }
}
