//! Figures and names as people read them: `38.2 ms`, `1,234,567`, `Call set-up`. It measures nothing.

use std::time::{Duration, UNIX_EPOCH};

use crate::record::{Counter, Metric};

/// The last moment that has a date in four digits, in milliseconds since 1970.
const LAST_DATE_MS: u64 = 253_402_300_799_000;

/// What stands where there is no figure.
pub(super) const NONE: &str = "–";

/// A number with three significant digits, and no digit behind the point from 100 on.
fn three_digits(value: f64) -> String {
    let size = value.abs();
    if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The same without zeros at its end: for ticks.
fn trimmed(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A time of so many microseconds, in the unit that suits it.
pub(super) fn micros(micros: f64) -> String {
    let (value, unit) = micros_parts(micros);
    if value.is_finite() {
        format!("{} {unit}", three_digits(value))
    } else {
        NONE.to_owned()
    }
}

/// The same without zeros at its end.
pub(super) fn micros_tick(micros: f64) -> String {
    let (value, unit) = micros_parts(micros);
    format!("{} {unit}", trimmed(three_digits(value)))
}

fn micros_parts(micros: f64) -> (f64, &'static str) {
    if micros < 999.5 {
        (micros, "µs")
    } else if micros < 999_500.0 {
        (micros / 1e3, "ms")
    } else {
        (micros / 1e6, "s")
    }
}

/// A time of so many seconds, in the unit that suits it.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds >= 120.0 {
        let whole = seconds.round();
        format!("{:.0} min {:02.0} s", (whole / 60.0).floor(), whole % 60.0)
    } else {
        micros(seconds * 1e6)
    }
}

/// A whole number, in groups of three digits.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number that need not be whole: 0.52, 12.3, 4,567.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        NONE.to_owned()
    } else if value >= 999.5 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive; `as` saturates"
        )]
        count(value.round() as u64)
    } else {
        trimmed(three_digits(value))
    }
}

/// A number on an axis: 0.5, 250, 10k, 2M.
pub(super) fn number_tick(value: f64) -> String {
    if value >= 1e6 {
        format!("{}M", trimmed(three_digits(value / 1e6)))
    } else if value >= 1e4 {
        format!("{}k", trimmed(three_digits(value / 1e3)))
    } else {
        number(value)
    }
}

/// A share from 0 to 1, in percent.
pub(super) fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{} %", trimmed(three_digits(share * 100.0)))
    } else {
        NONE.to_owned()
    }
}

/// Memory of so many KiB, in the unit that suits it.
pub(super) fn memory(kib: f64) -> String {
    if !kib.is_finite() {
        NONE.to_owned()
    } else if kib < 1024.0 {
        format!("{} KiB", three_digits(kib))
    } else if kib < 1024.0 * 1024.0 {
        format!("{} MiB", three_digits(kib / 1024.0))
    } else {
        format!("{} GiB", three_digits(kib / 1024.0 / 1024.0))
    }
}

/// A moment in UTC, to the second.
pub(super) fn moment(unix_ms: u64) -> String {
    let moment = UNIX_EPOCH + Duration::from_millis(unix_ms.min(LAST_DATE_MS));
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}

/// A name that others chose, fit for a label: without control characters, and bounded.
pub(super) fn label(name: &str, most: usize) -> String {
    let mut text: String = name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(most + 1)
        .collect();
    if text.chars().count() > most {
        text.pop();
        text.pop();
        text.push('…');
    }
    text
}

/// A key such as `cpu_us_per_message`, in words.
pub(super) fn key(key: &str) -> String {
    let words: Vec<&str> = key
        .split('_')
        .map(|word| match word {
            "kib" => "KiB",
            "mib" => "MiB",
            "cpu" => "CPU",
            "us" => "µs",
            other => other,
        })
        .collect();
    let text = words.join(" ");
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A metric's title and what it is.
pub(super) const fn metric(metric: Metric) -> (&'static str, &'static str) {
    match metric {
        Metric::CallSetup => (
            "Call set-up",
            "from a call's start until both sides have the other's description and first candidate",
        ),
        Metric::OfferAnswer => (
            "Offer → answer",
            "from the offer's send until the answer has arrived",
        ),
        Metric::OneWay => ("One way", "a message from its send until its receiver has it"),
        Metric::Receipt => (
            "Receipt",
            "a message from its send until its sender has the final word",
        ),
        Metric::Connect => ("Connect", "TCP and TLS"),
        Metric::Authenticate => (
            "Authenticate",
            "from the upgrade request with the token until the welcome",
        ),
        Metric::Reconnect => (
            "Reconnect",
            "from the loss of a connection until there is one again",
        ),
        Metric::Slip => ("Schedule slip", "how late the generator itself made its starts"),
    }
}

/// The offences of the oracle, what each is called and what it means.
pub(super) const OFFENCES: [(Counter, &str, &str); 6] = [
    (
        Counter::LostSilently,
        "lost",
        "never arrived, and nobody was told",
    ),
    (Counter::Duplicated, "duplicated", "arrived more than once"),
    (
        Counter::Reordered,
        "reordered",
        "arrived after a later message of the same sender",
    ),
    (Counter::Corrupted, "corrupted", "arrived changed"),
    (
        Counter::Misdelivered,
        "misdelivered",
        "arrived at somebody else, or under another sender's name",
    ),
    (
        Counter::Wordless,
        "wordless",
        "were promised a final word and got none",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_in_the_unit_that_suits_them() {
        assert_eq!(micros(0.5), "0.50 µs");
        assert_eq!(micros(999.7), "1.00 ms");
        assert_eq!(micros(38_240.0), "38.2 ms");
        assert_eq!(micros_tick(2_000_000.0), "2 s");
        assert_eq!(micros(f64::NAN), NONE);
        assert_eq!(seconds(185.2), "3 min 05 s");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(number(0.5), "0.5");
        assert_eq!(number_tick(15_000.0), "15k");
        assert_eq!(percent(0.385), "38.5 %");
        assert_eq!(memory(2048.0), "2.00 MiB");
    }

    #[test]
    fn every_offence_has_its_words() {
        assert_eq!(OFFENCES.map(|(counter, ..)| counter), Counter::SILENT);
    }

    #[test]
    fn dates_and_names_stay_within_their_bounds() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(u64::MAX), "9999-12-31 23:59:59 UTC");
        assert_eq!(label("node\u{0}-name", 6), "node-…");
        assert_eq!(key("cpu_us_per_message"), "CPU µs per message");
    }
}
