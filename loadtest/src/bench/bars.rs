//! The bars that the design sets for each figure.

/// A figure, its bar, and how it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    pub(crate) figure: &'static str,
    pub(crate) unit: &'static str,
    /// Met when the median is at most this.
    pub(crate) at_most: f64,
}

pub(crate) const IDLE: Bar = bar("RSS per idle connection, after traffic", "KiB", 5.0);
pub(crate) const CONNECT_HS256: Bar = bar("connect, HS256, confirmed SUBSCRIBE", "µs CPU", 150.0);
pub(crate) const CONNECT_ES256: Bar = bar("connect, ES256, confirmed SUBSCRIBE", "µs CPU", 280.0);
pub(crate) const SAME_5K: Bar = bar("same node, 5,000/s in ticks of 1 ms", "µs CPU", 40.0);
pub(crate) const SAME_EVEN: Bar = bar("same node, 5,000/s evenly spaced", "µs CPU", 40.0);
pub(crate) const SAME_SATURATED: Bar = bar("same node, saturated", "µs CPU", 12.0);
pub(crate) const CROSS_5K: Bar = bar("across nodes, both, 5,000/s in ticks of 1 ms", "µs CPU", 90.0);
pub(crate) const CROSS_PLAIN: Bar = bar(
    "the same without an id: a plain publish, no contract",
    "µs CPU",
    90.0,
);
pub(crate) const CROSS_EVEN: Bar = bar("across nodes, both, 5,000/s evenly spaced", "µs CPU", 90.0);
pub(crate) const CROSS_SATURATED: Bar = bar("across nodes, both, saturated", "µs CPU", 20.0);
pub(crate) const ADDED_P50: Bar = bar("added to raw Redis in ticks, p50", "µs", 80.0);
pub(crate) const ADDED_P99: Bar = bar("added to raw Redis in ticks, p99", "µs", 200.0);
pub(crate) const ADDED_EVEN_P50: Bar = bar("added to raw Redis evenly spaced, p50", "µs", 80.0);
pub(crate) const ADDED_EVEN_P99: Bar = bar("added to raw Redis evenly spaced, p99", "µs", 200.0);

const fn bar(figure: &'static str, unit: &'static str, at_most: f64) -> Bar {
    Bar {
        figure,
        unit,
        at_most,
    }
}
