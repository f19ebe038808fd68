//! The `id` of a frame that is not read as a whole: one over the limit, of which only the first bytes were kept, or one
//! that is not valid JSON. It is read as far as the text goes. Not a parser: what it skips may be anything.

use super::number::integer;

/// The `id` among the first members of the object that begins with `prefix`, if it is a valid one.
pub(super) fn id_in_head(prefix: &[u8]) -> Option<u64> {
    let mut scan = Scan(prefix);
    scan.token(b'{')?;
    loop {
        let key = scan.string()?;
        scan.token(b':')?;
        let value = scan.value()?;
        // A number is complete only if something stands behind it.
        let is_last = scan.token(b',').is_none();
        if is_last {
            scan.token(b'}')?;
        }
        if is_id(key) {
            return integer(std::str::from_utf8(value).ok()?).filter(|id| *id > 0);
        }
        if is_last {
            return None;
        }
    }
}

/// Whether this quoted key is `id`, however it is escaped.
fn is_id(quoted: &[u8]) -> bool {
    quoted == b"\"id\""
        || (quoted.contains(&b'\\') && serde_json::from_slice(quoted).is_ok_and(|key: String| key == "id"))
}

/// The rest of the text.
struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Takes this byte, which may have space before it. Otherwise only the space is taken.
    fn token(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.skip_space();
        let bytes = string_bytes(self.0)?;
        self.take(bytes)
    }

    /// Any value. One that is cut off is none.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.skip_space();
        let bytes = match self.0.first()? {
            b'"' => string_bytes(self.0)?,
            b'{' | b'[' => nested_bytes(self.0)?,
            _ => self.0.iter().position(|byte| is_end_of_literal(*byte))?,
        };
        self.take(bytes)
    }
}

fn is_end_of_literal(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace()
}

/// The length of the string that `text` begins with, quotes included.
fn string_bytes(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    let inner = text.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| match byte {
        _ if std::mem::take(&mut is_escaped) => false,
        b'\\' => {
            is_escaped = true;
            false
        }
        byte => *byte == b'"',
    })?;
    Some(end + 2)
}

/// The length of the object or array that `text` begins with.
fn nested_bytes(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => {
                at += string_bytes(text.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_read_out_of_the_beginning_of_a_frame() {
        for text in [
            r#"{"type":"offer","to":"bob","id":3,"payload":"xxxx"#,
            r#" { "id" : 3.0 , "payload":{"a":"#,
            r#"{"payload":{"id":9,"s":"}\"","a":[{"id":8}]},"id":3}"#,
            r#"{"\u0069d":30e-1,"#,
            r#"{"type":nonsense,"to":[nonsense],"id":3 }"#,
            "{\"a\":\"\u{e9}\\\\\",\"id\":3,",
        ] {
            assert_eq!(id_in_head(text.as_bytes()), Some(3), "{text}");
        }
    }

    #[test]
    fn an_id_that_is_cut_off_or_invalid_is_none() {
        for text in [
            "",
            "{",
            "[",
            r#"{"id":3"#,
            r#"{"id":"#,
            r#"{"id""#,
            r#"{"id":"3"}"#,
            r#"{"id":0}"#,
            r#"{"id":-3}"#,
            r#"{"id":3.5}"#,
            r#"{"id":3]"#,
            r#"{"payload":{"id":3,"#,
            r#"{"payload":"id\":3,"#,
            r#"["id",3]"#,
            r#"{"ID":3}"#,
            r#"{"a":1}"#,
            r#"{"id":,}"#,
        ] {
            assert_eq!(id_in_head(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader_of_heads(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = id_in_head(&bytes);
        }

        #[test]
        fn the_beginning_of_a_frame_has_the_id_of_the_whole_or_none(cut in 0..80_usize, id in 1..u64::MAX) {
            let text = format!(r#"{{"type":"offer","to":"bob","id":{id},"payload":{{"sdp":"v=0"}}}}"#);
            let found = id_in_head(&text.as_bytes()[..cut.min(text.len())]);
            prop_assert!(found.is_none() || found == Some(id), "{:?}", found);
            prop_assert_eq!(id_in_head(text.as_bytes()), Some(id));
        }
    }
}
