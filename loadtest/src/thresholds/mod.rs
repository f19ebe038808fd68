//! What must hold, as people write it, and whether it did. A threshold is a [`Figure`], a comparison and a value:
//! `p99(call_setup) < 50ms`, `lost == 0`, `share(calls_set_up/calls_started) >= 99.9%`. It judges one finished
//! run; what a missed threshold means for the program is for others.

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

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    text: String,
    figure: Figure,
    operator: Operator,
    /// In the figure's unit.
    value: f64,
}

impl Threshold {
    /// Whether it held in that run. What was not measured does not hold.
    pub(crate) fn judge(&self, run: &RunResult) -> ThresholdResult {
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

/// What stands right of the comparison, in the unit of what stands left of it.
fn value(unit: Unit, text: &str) -> Result<f64, String> {
    let number = match unit {
        Unit::Micros => {
            let span: Span = text.parse()?;
            return Ok(span.get().as_secs_f64() * 1e6);
        }
        Unit::Number => text.to_owned(),
        // Shifted as a decimal: 99.9 / 100 is not 0.999, and a share of exactly that must do.
        Unit::Share => text
            .strip_suffix('%')
            .map_or_else(|| text.to_owned(), |percent| format!("{}e-2", percent.trim_end())),
    };
    number
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("`{text}` is no number{}", unit.example()))
}

#[cfg(test)]
mod tests;
