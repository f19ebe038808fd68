//! `--fail-on "p99(call_setup) > +10%"`: how much worse `b` may be.

use std::str::FromStr;

use super::{Gate, MIN_RUNS, SIGNIFICANT, Side, change, p_value};
use crate::{
    results::Results,
    thresholds::{Figure, Operator, split},
};

/// A change of a figure's median that fails the comparison, if it is more than chance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FailOn {
    text: String,
    figure: Figure,
    /// Whether growth is meant, not decline.
    is_growth: bool,
    /// As a share of the median of `a`.
    change: f64,
}

impl FailOn {
    /// What came of it. A figure that is missing fails: it cannot be said that all is well.
    pub(super) fn judge(&self, a: &Results, b: &Results) -> Gate {
        let (a, b) = (Side::of(a, &self.figure), Side::of(b, &self.figure));
        let gate = |outcome: String, is_failed| Gate {
            text: self.text.clone(),
            outcome,
            is_failed,
        };
        let Some(change) = change(&a, &b) else {
            let side = if a.values.is_empty() { "a" } else { "b" };
            return gate(format!("there is no such figure in {side}"), true);
        };
        let is_beyond = if self.is_growth {
            change > self.change
        } else {
            change < self.change
        };
        let percent = change * 100.0;
        match p_value(&a, &b) {
            _ if !is_beyond => gate(format!("{percent:+.1}%"), false),
            None => gate(
                format!(
                    "{percent:+.1}%, by medians alone: fewer than {MIN_RUNS} runs cannot show that it is more than chance"
                ),
                true,
            ),
            Some(p) if p < SIGNIFICANT => gate(format!("{percent:+.1}% (p={p:.3})"), true),
            Some(p) => gate(
                format!("{percent:+.1}%, but that may be chance (p={p:.3})"),
                false,
            ),
        }
    }
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: String| format!("`{text}`: {why}");
        let (left, operator, right) = split(text).map_err(wrong)?;
        let figure = left.parse().map_err(wrong)?;
        let is_growth = match operator {
            Operator::More => true,
            Operator::Less => false,
            Operator::AtMost | Operator::AtLeast | Operator::Equal => {
                return Err(wrong(
                    "say > for what must not grow and < for what must not shrink".into(),
                ));
            }
        };
        let change = right
            .strip_suffix('%')
            .filter(|number| number.starts_with(['+', '-']))
            .and_then(|number| number.parse::<f64>().ok())
            .filter(|percent| percent.is_finite())
            .ok_or_else(|| wrong(format!("`{right}` is no change; say for example +10% or -5%")))?;
        Ok(Self {
            text: text.trim().to_owned(),
            figure,
            is_growth,
            change: change / 100.0,
        })
    }
}
