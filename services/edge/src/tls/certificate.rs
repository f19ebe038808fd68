//! When a certificate is valid (RFC 5280, section 4.1.2.5), read from its DER form. Nothing else of it is read: whether it
//! is trusted is the client's matter.

use std::fmt;

/// Tags of DER (X.690).
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate, which only version 1 lacks.
const EXPLICIT_VERSION: u8 = 0xa0;

/// The time in which a certificate is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    /// Its first second.
    pub(super) not_before_s: i64,
    /// Its last second.
    pub(super) not_after_s: i64,
}

/// A certificate whose form is not that of RFC 5280.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its time of validity cannot be read")]
pub(super) struct NotACertificate;

impl Validity {
    /// Reads the validity of the certificate `der`.
    pub(super) fn of(der: &[u8]) -> Result<Self, NotACertificate> {
        Self::find(der).ok_or(NotACertificate)
    }

    fn find(der: &[u8]) -> Option<Self> {
        let (certificate, _) = value(der, SEQUENCE)?;
        let (mut fields, _) = value(certificate, SEQUENCE)?;
        if fields.first() == Some(&EXPLICIT_VERSION) {
            (_, fields) = value(fields, EXPLICIT_VERSION)?;
        }
        // The serial number, the algorithm of the signature, and the issuer.
        for _ in 0..3 {
            (_, fields) = value(fields, *fields.first()?)?;
        }
        let (validity, _) = value(fields, SEQUENCE)?;
        let (not_before_s, rest) = time(validity)?;
        let (not_after_s, _) = time(rest)?;
        Some(Self {
            not_before_s,
            not_after_s,
        })
    }
}

/// The value behind `tag` at the beginning of `der`, and what comes after it.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // One to four bytes of length follow.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

/// A time at the beginning of `der`: `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let tag = *der.first()?;
    let (text, rest) = value(der, tag)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, text) = match tag {
        UTC_TIME if text.len() == 12 => {
            let (year, text) = text.split_at(2);
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME if text.len() == 14 => {
            let (year, text) = text.split_at(4);
            (year.parse().ok()?, text)
        }
        _ => return None,
    };
    let part = |at: usize| text.get(at..at + 2)?.parse::<i64>().ok();
    let seconds = days(year, part(0)?, part(2)?) * 86_400 + part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    Some((seconds, rest))
}

/// Days since 1970 of a date in the Gregorian calendar. Years begin in March, so a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Shows the rest of a validity at a time: `ends in 30 days`, `ended 2 days ago`.
pub(super) struct Rest {
    pub(super) validity: Validity,
    pub(super) now_s: i64,
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = (self.validity.not_after_s - self.now_s) / 86_400;
        if self.validity.not_after_s < self.now_s {
            write!(f, "it ended {} days ago", -days)
        } else if self.validity.not_before_s > self.now_s {
            let days = (self.validity.not_before_s - self.now_s) / 86_400;
            write!(f, "it begins in {days} days")
        } else {
            write!(f, "it ends in {days} days")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        let header = if length < 0x80 {
            vec![tag, length]
        } else {
            vec![tag, 0x81, length]
        };
        [&header[..], content].concat()
    }

    fn certificate(before: (u8, &str), after: (u8, &str)) -> Vec<u8> {
        let validity = [
            tagged(before.0, before.1.as_bytes()),
            tagged(after.0, after.1.as_bytes()),
        ]
        .concat();
        let fields = [
            tagged(EXPLICIT_VERSION, &tagged(2, &[2])),
            tagged(2, &[1]),
            tagged(SEQUENCE, &[]),
            tagged(SEQUENCE, &[0; 60]),
            tagged(SEQUENCE, &validity),
            tagged(SEQUENCE, &[0; 20]),
        ];
        tagged(SEQUENCE, &tagged(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        // `date -u -d '…' +%s`
        for (form, seconds) in [
            ((UTC_TIME, "700101000000Z"), 0),
            ((UTC_TIME, "491231235959Z"), 2_524_607_999),
            ((UTC_TIME, "500101000000Z"), -631_152_000),
            ((GENERALIZED_TIME, "20240229120000Z"), 1_709_208_000),
            ((GENERALIZED_TIME, "20500301000000Z"), 2_529_705_600),
            ((GENERALIZED_TIME, "99991231235959Z"), 253_402_300_799),
        ] {
            let validity = Validity::of(&certificate(form, (UTC_TIME, "700101000000Z"))).unwrap();
            assert_eq!(
                (validity.not_before_s, validity.not_after_s),
                (seconds, 0),
                "{form:?}"
            );
        }
    }

    #[test]
    fn the_rest_is_said_in_days() {
        let validity = Validity {
            not_before_s: 0,
            not_after_s: 10 * 86_400,
        };
        let rest = |days: i64| {
            Rest {
                validity,
                now_s: days * 86_400,
            }
            .to_string()
        };
        assert_eq!(rest(3), "it ends in 7 days");
        assert_eq!(rest(12), "it ended 2 days ago");
        assert_eq!(rest(-1), "it begins in 1 days");
    }

    #[test]
    fn no_bytes_are_a_panic() {
        let whole = certificate((UTC_TIME, "700101000000Z"), (GENERALIZED_TIME, "99991231235959Z"));
        for at in 0..whole.len() {
            let _ = Validity::of(&whole[..at]);
            for byte in [0, 0x7f, 0x80, 0x81, 0x84, 0x85, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = Validity::of(&changed);
            }
        }
    }
}
