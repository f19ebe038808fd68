//! Thresholds: a [`Figure`], a comparison and a value, for example `p99(call_setup) < 50ms`, `lost == 0` or
//! `share(calls_set_up/calls_started) >= 99.9%`. They are evaluated on one finished run. The exit code of a missed
//! threshold is decided elsewhere.

mod figure;
mod operator;
mod read;

use std::str::FromStr;

pub(crate) use figure::{Figure, Function, Unit};
pub(crate) use operator::{Operator, split};

use crate::{
    results::{RunResult, ThresholdResult},
    scenario::Span,
};

/// A requirement on a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    text: String,
    figure: Figure,
    operator: Operator,
    /// In the figure's unit.
    value: f64,
}

impl Threshold {
    /// Whether a run meets it. A figure without a value does not meet it.
    pub(crate) fn evaluate(&self, run: &RunResult) -> ThresholdResult {
        let (measured, is_met) = match self.figure.of(run) {
            Ok(value) => (
                self.figure.unit().show(value),
                self.operator.holds(value, self.value),
            ),
            Err(why) => (why, false),
        };
        ThresholdResult {
            text: self.text.clone(),
            measured,
            is_met,
        }
    }

    /// As written in the scenario.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the run, which may still go on, has a value for it.
    pub(crate) fn has_value(&self, run: &RunResult) -> bool {
        self.figure.of(run).is_ok()
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: String| format!("`{text}`: {why}");
        let (left, operator, right) = split(text).map_err(wrong)?;
        let figure: Figure = left.parse().map_err(wrong)?;
        let value = value(figure.unit(), right).map_err(wrong)?;
        Ok(Self {
            text: text.trim().to_owned(),
            figure,
            operator,
            value,
        })
    }
}

/// The value right of the comparison, in the unit of the figure.
fn value(unit: Unit, text: &str) -> Result<f64, String> {
    let number = match unit {
        Unit::Micros => {
            let span: Span = text.parse()?;
            return Ok(span.get().as_secs_f64() * 1e6);
        }
        Unit::Number => text.to_owned(),
        // Shifted as a decimal, because 99.9 / 100 is not 0.999 in binary.
        Unit::Share => text
            .strip_suffix('%')
            .map_or_else(|| text.to_owned(), |percent| format!("{}e-2", percent.trim_end())),
    };
    number
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("`{text}` is not a number{}", unit.example()))
}

#[cfg(test)]
mod tests;
