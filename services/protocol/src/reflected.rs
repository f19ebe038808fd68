//! A client's own text inside of a message for people: short, printable, and marked where it was cut. A node never
//! repeats more of its input than this.

use std::fmt::{self, Write as _};

/// The most characters of a client's text in an answer, without the mark.
pub const MAX_REFLECTED_CHARS: usize = 64;

/// Shows at most [`MAX_REFLECTED_CHARS`] of its text. The text is cut first, so a long one costs no more than a short
/// one.
#[derive(Debug, Clone, Copy)]
pub struct Reflected<'a>(pub &'a str);

impl fmt::Display for Reflected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        for char in chars.by_ref().take(MAX_REFLECTED_CHARS) {
            f.write_char(if is_printable(char) {
                char
            } else {
                char::REPLACEMENT_CHARACTER
            })?;
        }
        match chars.next() {
            Some(_) => f.write_char('…'),
            None => Ok(()),
        }
    }
}

/// Not so: controls, and invisible characters that change how their neighbours are shown.
fn is_printable(char: char) -> bool {
    char == ' ' || char.is_ascii_graphic() || char.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Reflected(text).to_string()
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        let longest = "é".repeat(MAX_REFLECTED_CHARS);
        assert_eq!(shown(&longest), longest);
        assert_eq!(shown(&format!("{longest}x")), format!("{longest}…"));
    }

    #[test]
    fn what_cannot_be_printed_is_replaced_one_for_one() {
        assert_eq!(
            shown("a\n\u{200b}\u{202e}b\u{0}"),
            "a\u{fffd}\u{fffd}\u{fffd}b\u{fffd}"
        );
        assert_eq!(
            shown(&"\u{200b}".repeat(20_000)).chars().count(),
            MAX_REFLECTED_CHARS + 1
        );
    }
}
