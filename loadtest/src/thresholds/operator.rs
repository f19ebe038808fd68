//! The comparison in a threshold.

/// A comparison of the measured value with the required one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

impl Operator {
    /// Whether `measured` meets `required`; never if one of them is NaN.
    #[expect(clippy::float_cmp, reason = "`lost == 0` compares counts, which are exact")]
    pub(crate) fn holds(self, measured: f64, required: f64) -> bool {
        match self {
            Self::Less => measured < required,
            Self::AtMost => measured <= required,
            Self::More => measured > required,
            Self::AtLeast => measured >= required,
            Self::Equal => measured == required,
        }
    }
}

/// Splits a text at its comparison: left side, operator, right side.
pub(crate) fn split(text: &str) -> Result<(&str, Operator, &str), String> {
    let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!');
    let start = text
        .find(is_sign)
        .ok_or("there is no comparison; use <, <=, >, >= or ==, for example `lost == 0`")?;
    let (left, rest) = text.split_at(start);
    let right = rest.trim_start_matches(is_sign);
    let sign = rest.strip_suffix(right).unwrap_or(rest);
    let operator = match sign {
        "<" => Operator::Less,
        "<=" => Operator::AtMost,
        ">" => Operator::More,
        ">=" => Operator::AtLeast,
        "==" => Operator::Equal,
        other => return Err(format!("`{other}` is no comparison; use <, <=, >, >= or ==")),
    };
    let (left, right) = (left.trim(), right.trim());
    if left.is_empty() || right.is_empty() {
        return Err(format!("a side of `{sign}` is missing"));
    }
    Ok((left, operator, right))
}
