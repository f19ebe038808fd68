//! `--fail-on "p99(call_setup) > +10%"`: how much worse `b` may be.

use std::str::FromStr;

use super::side::{MIN_RUNS, SIGNIFICANT, Side, change, p_value};
use crate::{
    results::Results,
    thresholds::{Figure, Operator, split},
};

/// A change of a figure's median that fails the comparison if it is significant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FailOn {
    text: String,
    figure: Figure,
    /// Whether an increase fails, not a decrease.
    is_increase: bool,
    /// As a share of the median of `a`.
    change: f64,
}

/// The result of a `--fail-on`.
#[derive(Debug)]
pub(super) struct GateResult {
    pub(super) text: String,
    pub(super) outcome: String,
    pub(super) is_failed: bool,
}

impl FailOn {
    /// Its result for two loads. A missing figure fails, because nobody knows its change.
    pub(super) fn evaluate(&self, a: &Results, b: &Results) -> GateResult {
        let (a, b) = (Side::of(a, &self.figure), Side::of(b, &self.figure));
        let result = |outcome: String, is_failed| GateResult {
            text: self.text.clone(),
            outcome,
            is_failed,
        };
        let Some(change) = change(&a, &b) else {
            let side = if a.values.is_empty() { "a" } else { "b" };
            return result(format!("there is no such figure in {side}"), true);
        };
        let is_beyond = if self.is_increase {
            change > self.change
        } else {
            change < self.change
        };
        let percent = change * 100.0;
        match p_value(&a, &b) {
            _ if !is_beyond => result(format!("{percent:+.1}%"), false),
            None => {
                let few = format!("medians only: fewer than {MIN_RUNS} runs cannot be significant");
                result(format!("{percent:+.1}%, {few}"), true)
            }
            Some(p) if p < SIGNIFICANT => result(format!("{percent:+.1}% (p={p:.3})"), true),
            Some(p) => result(format!("{percent:+.1}%, not significant (p={p:.3})"), false),
        }
    }
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: String| format!("`{text}`: {why}");
        let (left, operator, right) = split(text).map_err(wrong)?;
        let figure = left.parse().map_err(wrong)?;
        let is_increase = match operator {
            Operator::More => true,
            Operator::Less => false,
            Operator::AtMost | Operator::AtLeast | Operator::Equal => {
                return Err(wrong("use > against an increase and < against a decrease".into()));
            }
        };
        let change = right
            .strip_suffix('%')
            .filter(|number| number.starts_with(['+', '-']))
            .and_then(|number| number.parse::<f64>().ok())
            .filter(|percent| percent.is_finite())
            .ok_or_else(|| wrong(format!("`{right}` is not a change; use for example +10% or -5%")))?;
        Ok(Self {
            text: text.trim().to_owned(),
            figure,
            is_increase,
            change: change / 100.0,
        })
    }
}
