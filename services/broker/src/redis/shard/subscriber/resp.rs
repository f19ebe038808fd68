//! Writes commands in RESP. Not the reader (`parser`).

/// Appends one command.
pub(super) fn write_command(words: &[&str], out: &mut Vec<u8>) {
    write_header(words.len(), out);
    for word in words {
        write_word(word.as_bytes(), out);
    }
}

/// Appends the header of a command of `words` words.
pub(super) fn write_header(words: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{words}\r\n").as_bytes());
}

/// Appends one word of a command.
pub(super) fn write_word(word: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut out = b"kept ".to_vec();
        write_command(&["AUTH", "pass\r\nword"], &mut out);
        assert_eq!(out, b"kept *2\r\n$4\r\nAUTH\r\n$10\r\npass\r\nword\r\n");
    }
}
