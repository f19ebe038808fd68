//! From a value to its place on an axis, and the ticks that are worth a label. It knows nothing of SVG.

use super::super::words;

/// Ticks on an axis, about.
const TICKS: f64 = 5.0;

/// Ticks of a logarithmic axis at 1, 2 and 5; with more than these only the powers of ten are kept.
const MOST_LOG_TICKS: usize = 7;

/// The least gap between two ticks of a logarithmic axis, as a share of it.
const LEAST_TICK_GAP: f64 = 0.08;

/// Nines that a percentile axis shows at most: 99.9999 %.
const MOST_NINES: f64 = 6.0;

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds.
    Micros,
    /// Things, or things a second.
    Count,
    /// Cores.
    Cores,
    /// Seconds since something.
    Seconds,
    /// Nines: 1 is 90 %, 2 is 99 %.
    Nines,
}

impl Unit {
    /// Its name in the page's script.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Micros => "us",
            Self::Count => "count",
            Self::Cores => "cores",
            Self::Seconds => "s",
            Self::Nines => "nines",
        }
    }

    fn tick(self, value: f64) -> String {
        match self {
            Self::Micros => words::micros_tick(value),
            Self::Count | Self::Cores => words::number_tick(value),
            Self::Seconds => format!("{} s", signed(value)),
            Self::Nines => percentile(value),
        }
    }
}

/// An axis: a stretch of values, and its ticks.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// What the values are.
    pub(crate) unit: Unit,
    /// The smallest value.
    pub(super) from: f64,
    /// The largest.
    pub(super) to: f64,
    is_log: bool,
    ticks: Vec<f64>,
}

impl Axis {
    /// From zero to at least `most`, evenly.
    pub(crate) fn from_zero(most: f64, unit: Unit) -> Self {
        let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
        let step = step_for(most);
        // A fraction of a thing is no tick.
        let step = if unit == Unit::Count { step.max(1.0) } else { step };
        let steps = (most / step).ceil();
        Self {
            unit,
            from: 0.0,
            to: steps * step,
            is_log: false,
            ticks: multiples(0.0, steps, step),
        }
    }

    /// Exactly from `from` to `to`, evenly, with ticks at round values between.
    pub(crate) fn between(from: f64, to: f64, unit: Unit) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let step = step_for(to - from);
        let (first, last) = ((from / step).ceil(), (to / step).floor());
        Self {
            unit,
            from,
            to,
            is_log: false,
            ticks: multiples(first, last, step),
        }
    }

    /// Logarithmic, from at most `least` to at least `most`.
    pub(crate) fn log(least: f64, most: f64, unit: Unit) -> Self {
        let least = if least.is_finite() { least.max(0.1) } else { 1.0 };
        let most = if most.is_finite() {
            most.max(least * 2.0)
        } else {
            least * 10.0
        };
        let decades = (least.log10().floor(), most.log10().ceil());
        let all: Vec<f64> = whole_numbers(decades.0, decades.1)
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powf(decade)))
            .collect();
        let from = all.iter().rev().copied().find(|tick| *tick <= least * 1.001);
        let to = all.iter().copied().find(|tick| *tick >= most * 0.999);
        let (from, to) = (from.unwrap_or(least), to.unwrap_or(most));
        let mut ticks: Vec<f64> = all
            .into_iter()
            .filter(|tick| *tick >= from * 0.999 && *tick <= to * 1.001)
            .collect();
        if ticks.len() > MOST_LOG_TICKS {
            // The ends stay where they are far enough from the next power of ten.
            let room = (to / from).log10() * LEAST_TICK_GAP;
            let to_power = |tick: f64| (tick.log10() - tick.log10().round()).abs();
            ticks.retain(|tick| {
                let is_end = *tick <= from * 1.001 || *tick >= to * 0.999;
                to_power(*tick) < 1e-9 || (is_end && to_power(*tick) > room)
            });
        }
        Self {
            unit,
            from,
            to,
            is_log: true,
            ticks,
        }
    }

    /// The percentiles that so many values can tell apart: each nine takes as much room as the one before.
    pub(crate) fn nines(count: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "only its magnitude matters")]
        let to = (count.max(10) as f64).log10().clamp(1.0, MOST_NINES);
        let mut ticks = vec![nines_of(0.5)];
        ticks.extend(whole_numbers(1.0, to.floor()));
        Self {
            unit: Unit::Nines,
            from: 0.0,
            to,
            is_log: false,
            ticks,
        }
    }

    /// Where on the axis a value is, 0 to 1; values beyond an end are at it.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.is_log {
            (value.max(self.from) / self.from).log10() / (self.to / self.from).log10()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        place.clamp(0.0, 1.0)
    }

    /// The ticks' places and texts.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        self.ticks
            .iter()
            .map(|tick| (self.place(*tick), self.unit.tick(*tick)))
            .collect()
    }
}

/// How many nines a quantile has: 0.9 has one, 0.5 has 0.3.
pub(crate) fn nines_of(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// The quantile with so many nines.
pub(crate) fn quantile_of(nines: f64) -> f64 {
    1.0 - 10_f64.powf(-nines)
}

fn percentile(nines: f64) -> String {
    let decimals = if nines > 2.0 { nines.round() - 2.0 } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 6"
    )]
    let decimals = decimals as usize;
    format!("{:.decimals$} %", quantile_of(nines) * 100.0)
}

/// Seconds may lie before the start.
fn signed(value: f64) -> String {
    if value < 0.0 {
        format!("−{}", words::number(-value))
    } else {
        // Adding 0 turns the −0 of a range that begins below it into 0.
        words::number(value + 0.0)
    }
}

/// The step of 1, 2 or 5 times a power of ten that makes about [`TICKS`] of a length.
fn step_for(length: f64) -> f64 {
    let rough = length / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let digit = rough / power;
    let nice = if digit <= 1.0 {
        1.0
    } else if digit <= 2.0 {
        2.0
    } else if digit <= 5.0 {
        5.0
    } else {
        10.0
    };
    nice * power
}

fn multiples(first: f64, last: f64, step: f64) -> Vec<f64> {
    whole_numbers(first, last).map(|index| index * step).collect()
}

/// The whole numbers from `first` to `last`; few by construction of the callers.
fn whole_numbers(first: f64, last: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(first), |number| Some(number + 1.0)).take_while(move |number| *number <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn an_even_axis_ends_at_a_round_value() {
        assert_eq!(
            texts(&Axis::from_zero(870.0, Unit::Count)),
            ["0", "200", "400", "600", "800", "1,000"]
        );
        assert_eq!(
            texts(&Axis::from_zero(0.0, Unit::Cores)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
    }

    #[test]
    fn a_logarithmic_axis_has_round_ends_and_few_ticks() {
        let near = Axis::log(1_500.0, 38_000.0, Unit::Micros);
        assert_eq!(texts(&near), ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]);
        let far = Axis::log(150.0, 2_800_000.0, Unit::Micros);
        assert_eq!(texts(&far), ["100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
        // An end that is far from a power of ten has its tick too.
        assert_eq!(texts(&Axis::log(2_100.0, 1_900_000.0, Unit::Micros))[0], "2 ms");
        assert!((far.place(50.0)).abs() < 1e-9 && (far.place(5e6) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_go_as_far_as_the_count_allows() {
        assert_eq!(
            texts(&Axis::nines(20_000)),
            ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"]
        );
        assert_eq!(texts(&Axis::nines(0)), ["50 %", "90 %"]);
    }

    #[test]
    fn odd_bounds_make_an_axis_nevertheless() {
        for (from, to) in [(0.0, 0.0), (f64::NAN, f64::NAN), (f64::INFINITY, 0.0)] {
            for (place, _) in Axis::log(from, to, Unit::Micros).ticks() {
                assert!((0.0..=1.0).contains(&place));
            }
        }
    }
}
