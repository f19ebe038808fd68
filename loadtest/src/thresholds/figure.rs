//! Names of figures of a run, for example `p99(call_setup)` or `rate(arrived)`, for thresholds and comparisons. Their
//! values are read in `read`.

use std::{fmt, str::FromStr};

use crate::record::{Counter, Metric};

/// A figure of a finished run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Figure {
    /// A time.
    Time {
        /// The metric.
        metric: Metric,
        /// The part of its distribution.
        function: Function,
        /// From the planned starts, not from the actual ones.
        is_corrected: bool,
    },
    /// A counter.
    Count(Counter),
    /// A counter per second of load.
    Rate(Counter),
    /// One counter over another.
    Share(Counter, Counter),
    /// One of `RunResult::costs`.
    Cost(String),
    /// Connections of the most loaded node over the mean of all nodes, after the worst fault.
    Imbalance,
    /// From the worst fault until as many were connected as before.
    Reconnected,
}

/// A part of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    /// This percentage of values was at most the figure.
    Percentile(f64),
    /// Mean.
    Mean,
    /// Minimum.
    Min,
    /// Maximum.
    Max,
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds.
    Micros,
    /// None, or the one in the figure's name.
    Number,
    /// A share, 0 to 1.
    Share,
}

impl Figure {
    /// Its unit.
    pub(crate) const fn unit(&self) -> Unit {
        match self {
            Self::Time { .. } | Self::Reconnected => Unit::Micros,
            Self::Count(_) | Self::Rate(_) | Self::Cost(_) | Self::Imbalance => Unit::Number,
            Self::Share(..) => Unit::Share,
        }
    }
}

impl Unit {
    /// A value as text.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            // A smaller value would round up to 1000 of the next smaller unit.
            Self::Micros if value >= 999_995.0 => format!("{:.2}s", value / 1e6),
            Self::Micros if value >= 999.5 => format!("{:.2}ms", value / 1e3),
            Self::Micros => format!("{value:.0}us"),
            Self::Number if value.fract() == 0.0 => format!("{value:.0}"),
            Self::Number => format!("{value:.2}"),
            // Four digits, so that 99.996 % does not look like 100 %.
            Self::Share => format!("{:.4}%", value * 100.0),
        }
    }

    /// An example for error messages.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Micros => " with a unit, for example 50ms",
            Self::Number => ", for example 0 or 12.5",
            Self::Share => ", for example 0.999 or 99.9%",
        }
    }
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (is_corrected, call) = match text.strip_prefix("uncorrected ") {
            Some(rest) => (false, rest.trim_start()),
            None => (true, text),
        };
        let figure = match call.split_once('(') {
            None => plain(call)?,
            Some((function, rest)) => {
                let inner = rest
                    .strip_suffix(')')
                    .ok_or_else(|| format!("`{call}` has no `)` at its end"))?;
                of(function.trim(), inner.trim(), is_corrected)?
            }
        };
        if !is_corrected && !matches!(figure, Self::Time { .. }) {
            return Err(format!("`{call}` is not a time, so it cannot be uncorrected"));
        }
        Ok(figure)
    }
}

/// A figure without parentheses.
fn plain(text: &str) -> Result<Figure, String> {
    match text {
        "imbalance" => Ok(Figure::Imbalance),
        "reconnected" => Ok(Figure::Reconnected),
        name if Metric::named(name).is_some() => {
            Err(format!("name a part of `{name}`, for example `p99({name})`"))
        }
        name => counter(name).map(Figure::Count),
    }
}

/// A figure with parentheses.
fn of(function: &str, inner: &str, is_corrected: bool) -> Result<Figure, String> {
    match function {
        "rate" => counter(inner).map(Figure::Rate),
        "share" => {
            let (part, whole) = inner.split_once('/').ok_or_else(|| {
                format!("`{inner}` has no `/`; use for example share(calls_set_up/calls_started)")
            })?;
            Ok(Figure::Share(counter(part.trim())?, counter(whole.trim())?))
        }
        "cost" if inner.is_empty() => {
            Err("`cost()` names no cost; use for example cost(kib_per_idle_connection)".into())
        }
        "cost" => Ok(Figure::Cost(inner.to_owned())),
        function => {
            let function: Function = function.parse()?;
            let metric = Metric::named(inner).ok_or_else(|| {
                let known = list(Metric::ALL.iter().map(|metric| metric.name()));
                format!("there is no time `{inner}`; there are {known}")
            })?;
            Ok(Figure::Time {
                metric,
                function,
                is_corrected,
            })
        }
    }
}

fn counter(name: &str) -> Result<Counter, String> {
    Counter::named(name).ok_or_else(|| {
        let known = list(Counter::ALL.iter().map(|counter| counter.name()));
        format!("there is no counter `{name}`; there are {known}, and imbalance and reconnected")
    })
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

impl FromStr for Function {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            format!(
                "there is no function `{text}`; there are p50, p99, p99.9 and so on, mean, min, max, rate, share and cost"
            )
        };
        match text {
            "mean" => Ok(Self::Mean),
            "min" => Ok(Self::Min),
            "max" => Ok(Self::Max),
            other => {
                let digits = other.strip_prefix('p').ok_or_else(unknown)?;
                let is_plain = digits.starts_with(|c: char| c.is_ascii_digit())
                    && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
                let percent: f64 = digits.parse().ok().filter(|_| is_plain).ok_or_else(unknown)?;
                if percent <= 0.0 || percent >= 100.0 {
                    return Err(format!(
                        "`{text}` is not between p0 and p100; use max for the maximum and p99.9 for p999"
                    ));
                }
                Ok(Self::Percentile(percent))
            }
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => write!(f, "p{percent}"),
            Self::Mean => f.write_str("mean"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time {
                metric,
                function,
                is_corrected,
            } => {
                let prefix = if *is_corrected { "" } else { "uncorrected " };
                write!(f, "{prefix}{function}({})", metric.name())
            }
            Self::Count(counter) => f.write_str(counter.name()),
            Self::Rate(counter) => write!(f, "rate({})", counter.name()),
            Self::Share(part, whole) => write!(f, "share({}/{})", part.name(), whole.name()),
            Self::Cost(name) => write!(f, "cost({name})"),
            Self::Imbalance => f.write_str("imbalance"),
            Self::Reconnected => f.write_str("reconnected"),
        }
    }
}
