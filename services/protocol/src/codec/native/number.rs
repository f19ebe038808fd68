//! Integers in JSON: `1`, `1.0` and `10e-1` are the same number (RFC 8259, section 6), read exactly over the whole
//! range of `u64`. A float would lose the last digits of a large one.

/// The integer that the JSON number `text` stands for. `None`: it is not a JSON number, not whole, or outside of
/// `u64`.
pub(super) fn integer(text: &str) -> Option<u64> {
    if is_digits(text) && !has_leading_zero(text) {
        return text.parse().ok();
    }
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, power(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    if !is_digits(whole) || has_leading_zero(whole) {
        return None;
    }
    let value = shifted(whole, fraction, exponent)?;
    (value == 0 || !is_negative).then_some(value)
}

/// The digits of `whole` and `fraction`, with the point moved by `exponent` places to the right.
fn shifted(whole: &str, fraction: &str, exponent: i64) -> Option<u64> {
    let places = |digits: &str| i64::try_from(digits.len()).ok();
    let point = places(whole)?.saturating_add(exponent);
    let (mut value, mut place) = (0_u64, 0_i64);
    for digit in whole.bytes().chain(fraction.bytes()) {
        if place < point {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        } else if digit != b'0' {
            return None;
        }
        place += 1;
    }
    while value > 0 && place < point {
        value = value.checked_mul(10)?;
        place += 1;
    }
    Some(value)
}

/// The exponent after the `e`. One that is out of range is as good as the range's end: no frame has that many digits.
fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let size = is_digits(digits).then(|| digits.parse().unwrap_or(i64::MAX))?;
    Some(if text.starts_with('-') { -size } else { size })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_number_has_many_spellings() {
        for text in [
            "1", "1.0", "1e0", "1E+0", "1.000e-0", "10e-1", "0.1e1", "0.01E2", "100e-2",
        ] {
            assert_eq!(integer(text), Some(1), "{text}");
        }
        for text in ["0", "-0", "0.0", "-0.0e7", "0e999999999999999999999"] {
            assert_eq!(integer(text), Some(0), "{text}");
        }
        assert_eq!(integer("18446744073709551615.0"), Some(u64::MAX));
        assert_eq!(integer("1844674407370955161.5e1"), Some(u64::MAX));
        assert_eq!(integer("9007199254740993.0"), Some(9_007_199_254_740_993));
    }

    #[test]
    fn any_other_text_is_refused() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1.5",
            "1e-1",
            "-1",
            "-1.0",
            "1e20",
            "0x1",
            " 1",
            "1_0",
            "18446744073709551616",
            "18446744073709551615.1",
            "1e999999999999999999999",
            "1e1e1",
            "1.0.0",
            "NaN",
            "\"1\"",
            "true",
            "null",
            "١",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_spelling_of_an_integer_is_that_integer(
            value in prop_oneof![any::<u64>(), 0..1000_u64], zeros in 0..30_usize, up in 0..30_usize,
            sign in prop::sample::select(vec!["", "+"]), e in prop::sample::select(vec!["e", "E"]),
        ) {
            let digits = value.to_string();
            prop_assert_eq!(integer(&digits), Some(value));
            let fraction = "0".repeat(zeros + 1);
            prop_assert_eq!(integer(&format!("{digits}.{fraction}")), Some(value));
            prop_assert_eq!(integer(&format!("{digits}{e}{sign}{fraction}")), Some(value));
            let zeros_after = format!("{digits}{}{e}-{up}", "0".repeat(up));
            // Zero may not be written with more zeros before it.
            prop_assert_eq!(integer(&zeros_after), if value == 0 && up > 0 { None } else { Some(value) });
            prop_assert_eq!(integer(&format!("0.{}{digits}{e}{}", "0".repeat(up), up + digits.len())), Some(value));
            let (first, rest) = digits.split_at(1);
            prop_assert_eq!(integer(&format!("{first}.{rest}0{e}{sign}{}", rest.len())), Some(value));
        }

        #[test]
        fn no_text_panics_the_reader_of_numbers(text in "[-+0-9.eE]{0,40}") {
            let _ = integer(&text);
        }
    }
}
