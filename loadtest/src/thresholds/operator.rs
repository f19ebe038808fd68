//! The comparison in a threshold.

/// How what was measured is compared with what is wanted.
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
    /// Whether `measured` is as `wanted`. Never for what is not a number.
    #[expect(clippy::float_cmp, reason = "`lost == 0` compares counts, which are exact")]
    pub(crate) fn holds(self, measured: f64, wanted: f64) -> bool {
        match self {
            Self::Less => measured < wanted,
            Self::AtMost => measured <= wanted,
            Self::More => measured > wanted,
            Self::AtLeast => measured >= wanted,
            Self::Equal => measured == wanted,
        }
    }
}

/// What stands left of the comparison, the comparison, and what stands right of it.
pub(crate) fn split(text: &str) -> Result<(&str, Operator, &str), String> {
    let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!');
    let start = text
        .find(is_sign)
        .ok_or("there is no comparison; say <, <=, >, >= or ==, as in `lost == 0`")?;
    let (left, rest) = text.split_at(start);
    let right = rest.trim_start_matches(is_sign);
    let sign = rest.strip_suffix(right).unwrap_or(rest);
    let operator = match sign {
        "<" => Operator::Less,
        "<=" => Operator::AtMost,
        ">" => Operator::More,
        ">=" => Operator::AtLeast,
        "==" => Operator::Equal,
        other => return Err(format!("`{other}` is no comparison; say <, <=, >, >= or ==")),
    };
    let (left, right) = (left.trim(), right.trim());
    if left.is_empty() || right.is_empty() {
        return Err(format!("something is missing beside `{sign}`"));
    }
    Ok((left, operator, right))
}
