//! A figure of a run by its name, as in `p99(call_setup)` or `rate(arrived)`: what thresholds and comparisons
//! speak of. Only the names; the figure itself is read in `read`.

use std::{fmt, str::FromStr};

use crate::record::{Counter, Metric};

/// Something that can be read off a finished run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Figure {
    /// A time: of which things, what of their distribution, and since when.
    Time {
        /// Of what.
        metric: Metric,
        /// What of it.
        function: Function,
        /// From the moment each should have begun, not from when it did.
        is_corrected: bool,
    },
    /// How often something happened.
    Count(Counter),
    /// How often a second of load.
    Rate(Counter),
    /// One counter over another.
    Share(Counter, Counter),
    /// One of `RunResult::costs`.
    Cost(String),
    /// The most loaded node's connections over the mean; of the worst fault.
    Imbalance,
    /// From a fault until as many were connected as before; of the worst fault.
    Reconnected,
}

/// What of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    /// So many per cent were at most this.
    Percentile(f64),
    /// The average.
    Mean,
    /// The shortest.
    Min,
    /// The longest.
    Max,
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds.
    Micros,
    /// Nothing, or what the name says.
    Number,
    /// A part of a whole, 0 to 1.
    Share,
}

impl Figure {
    /// What it is measured in.
    pub(crate) const fn unit(&self) -> Unit {
        match self {
            Self::Time { .. } | Self::Reconnected => Unit::Micros,
            Self::Count(_) | Self::Rate(_) | Self::Cost(_) | Self::Imbalance => Unit::Number,
            Self::Share(..) => Unit::Share,
        }
    }
}

impl Unit {
    /// A value in it, for people.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            // From where the next smaller unit would round up to 1000.
            Self::Micros if value >= 999_995.0 => format!("{:.2}s", value / 1e6),
            Self::Micros if value >= 999.5 => format!("{:.2}ms", value / 1e3),
            Self::Micros => format!("{value:.0}us"),
            Self::Number if value.fract() == 0.0 => format!("{value:.0}"),
            Self::Number => format!("{value:.2}"),
            // More digits than a threshold is likely to have: 99.996 % must not look like 100 %.
            Self::Share => format!("{:.4}%", value * 100.0),
        }
    }

    /// How values in it are written, for errors.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Micros => " with a unit, such as 50ms",
            Self::Number => ", such as 0 or 12.5",
            Self::Share => ", such as 0.999 or 99.9%",
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
            None => word(call)?,
            Some((function, rest)) => {
                let inner = rest
                    .strip_suffix(')')
                    .ok_or_else(|| format!("`{call}` has no `)` at its end"))?;
                of(function.trim(), inner.trim(), is_corrected)?
            }
        };
        if !is_corrected && !matches!(figure, Self::Time { .. }) {
            return Err(format!(
                "`{call}` is no time, so nothing in it can be uncorrected"
            ));
        }
        Ok(figure)
    }
}

/// A figure without parentheses.
fn word(text: &str) -> Result<Figure, String> {
    match text {
        "imbalance" => Ok(Figure::Imbalance),
        "reconnected" => Ok(Figure::Reconnected),
        name if Metric::named(name).is_some() => {
            Err(format!("say which part of `{name}`, as in `p99({name})`"))
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
                format!("`{inner}` has no `/`; say for example share(calls_set_up/calls_started)")
            })?;
            Ok(Figure::Share(counter(part.trim())?, counter(whole.trim())?))
        }
        "cost" if inner.is_empty() => Err("`cost()` names no cost, such as kib_per_idle_connection".into()),
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
                        "`{text}` is not between p0 and p100; the longest time is max, p999 is p99.9"
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
