//! Rust source as the checks need it: without comments and the text of strings, and without what only tests compile.
//! Every byte keeps its place, so that a position still gives the line. Not a parser.

/// The code of `text`: comments, strings and character literals are blanks.
pub(crate) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !is_word(bytes, at) => raw_end(bytes, at).unwrap_or(at),
            b'\'' => character_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Whether the byte before `at` continues a word, as in `for` before its `r`; `br"` is a raw string all the same.
fn is_word(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| bytes[at]);
    let word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match before(1) {
        Some(b'b' | b'c') => word(before(2)),
        other => word(other),
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    let length = bytes[at..].iter().position(|byte| *byte == b'\n');
    at + length.unwrap_or(bytes.len() - at)
}

fn block_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_end(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let body = start + 1 + hashes;
    (bytes.get(body) == Some(&b'"')).then_some(())?;
    let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let length = bytes[body + 1..]
        .windows(close.len())
        .position(|window| window == close);
    Some(length.map_or(bytes.len(), |length| body + 1 + length + close.len()))
}

/// `'a'` is a character, `'a` a lifetime.
fn character_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) == Some(&b'\\') {
        let length = bytes[start + 3..].iter().position(|byte| *byte == b'\'')?;
        return Some(start + 3 + length + 1);
    }
    // One character of up to four bytes.
    let length = bytes[start + 1..]
        .iter()
        .take(5)
        .position(|byte| *byte == b'\'')?;
    let is_one = std::str::from_utf8(&bytes[start + 1..start + 1 + length])
        .is_ok_and(|text| text.chars().count() == 1);
    is_one.then_some(start + length + 2)
}

/// `code` without the items behind `#[cfg(test)]`.
pub(crate) fn without_tests(code: &str) -> String {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    while let Some(start) = out.find(ATTRIBUTE) {
        let end = item_end(out.as_bytes(), start + ATTRIBUTE.len());
        let blank: String = out[start..end]
            .chars()
            .map(|found| if found == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..end, &blank);
    }
    out
}

/// Where the item that begins at or after `at` ends: behind its `;` or its block.
fn item_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in bytes[at..].iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + offset + 1;
                }
            }
            b';' if depth == 0 => return at + offset + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// The line of a position, counted from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    let text = r###"fn a() { b("x // {", 'y', '\'', r#"z"#); } // c
/* d /* e */ f */ fn g<'h>(i: &'h str) {}
#[cfg(test)]
mod tests { fn j() { "}" } }
#[cfg(test)] mod k;
fn l() {}"###;
    let code = without_tests(&code(text));
    assert_eq!(code.len(), text.len());
    let words: Vec<&str> = code
        .split(|found: char| !found.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(
        words,
        ["fn", "a", "b", "fn", "g", "h", "i", "h", "str", "fn", "l"]
    );
}
