//! Registers the families of the catalogue. Not their series (`metrics`, `shard_series`).

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, Result};

use crate::catalogue::{Kind, Metric};

pub(crate) fn opts(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

pub(crate) fn histogram_opts(metric: &Metric) -> HistogramOpts {
    let opts = HistogramOpts::from(opts(metric));
    match metric.kind {
        Kind::Histogram(bounds) => opts.buckets(bounds.to_vec()),
        Kind::Counter | Kind::Gauge => opts,
    }
}

pub(crate) fn counter_family(registry: &Registry, metric: &Metric) -> Result<IntCounterVec> {
    let family = IntCounterVec::new(opts(metric), metric.labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

pub(crate) fn gauge_family(registry: &Registry, metric: &Metric) -> Result<IntGaugeVec> {
    let family = IntGaugeVec::new(opts(metric), metric.labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

pub(crate) fn histogram_family(registry: &Registry, metric: &Metric) -> Result<HistogramVec> {
    let family = HistogramVec::new(histogram_opts(metric), metric.labels)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}
