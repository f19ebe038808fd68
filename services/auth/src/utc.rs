//! Seconds since 1970 as readable UTC text. Not here: time zones and parsing.

use std::fmt;

const DAY_S: u64 = 86_400;

/// Shows `2026-11-03 09:30:00 UTC`.
pub(crate) struct Utc(pub(crate) u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / DAY_S, self.0 % DAY_S);
        // 400 years have 146,097 days. They are counted from 1 March 0000, so leap days come last
        // (the proleptic Gregorian calendar, as in RFC 3339, appendix C).
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = era * 400 + year + carry;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

/// Shows how far `at_s` is from `now_s`: `in 4 min`, `3 d ago`.
pub(crate) struct Distance {
    pub(crate) at_s: u64,
    pub(crate) now_s: u64,
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let difference_s = self.at_s.abs_diff(self.now_s);
        let (number, unit) = match difference_s {
            0..120 => (difference_s, "s"),
            120..7_200 => (difference_s / 60, "min"),
            7_200..172_800 => (difference_s / 3_600, "h"),
            _ => (difference_s / DAY_S, "d"),
        };
        if self.at_s > self.now_s {
            write!(f, "in {number} {unit}")
        } else {
            write!(f, "{number} {unit} ago")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_the_date_command() {
        // `date -u -d @… '+%F %T UTC'`
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_709_251_200, "2024-03-01 00:00:00 UTC"),
            (1_798_761_599, "2026-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(Utc(seconds).to_string(), text);
        }
    }

    #[test]
    fn the_latest_possible_time_does_not_overflow() {
        assert!(Utc(u64::MAX).to_string().ends_with("UTC"));
    }

    #[test]
    fn distances_name_the_direction() {
        let at = |at_s| {
            Distance {
                at_s,
                now_s: 1_000_000,
            }
            .to_string()
        };
        assert_eq!(at(1_000_060), "in 60 s");
        assert_eq!(at(999_700), "5 min ago");
        assert_eq!(at(1_000_000 + 3 * DAY_S), "in 3 d");
    }
}
