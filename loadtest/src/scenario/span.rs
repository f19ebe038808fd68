//! A length of time as people write it: `250ms`, `10s`, `2m`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// A length of time. In text as `250ms`, `1.5s`, `2m`; exact to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(into = "String")]
pub struct Span(Duration);

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|error| format!("`{text}` is no length of time like 250ms, 10s or 2m: {error}"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer);
        let text = text.map_err(|error| {
            D::Error::custom(format!(
                "{}; write for example \"10s\"",
                error.to_string().trim_end()
            ))
        })?;
        text.parse().map_err(D::Error::custom)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = humantime::format_duration(self.0).to_string();
        f.write_str(&text.replace(' ', ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_they_are_written() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1s500ms", 1500),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span, Span::from_millis(milliseconds));
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
        assert!("10".parse::<Span>().unwrap_err().contains("no length of time"));
    }
}
