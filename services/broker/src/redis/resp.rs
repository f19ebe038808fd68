//! RESP, as far as no client library does it here: commands are written, and the replies of a handshake are read. Not
//! the reader of a pub/sub connection (`shard::subscriber::parser`), and not the replies of the publisher (redis-rs).

/// Appends one command.
pub(crate) fn write_command(words: &[&str], out: &mut Vec<u8>) {
    write_header(words.len(), out);
    for word in words {
        write_word(word.as_bytes(), out);
    }
}

/// Appends the header of a command of `words` words.
pub(crate) fn write_header(words: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{words}\r\n").as_bytes());
}

/// Appends one word of a command.
pub(crate) fn write_word(word: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// One reply. Arrays within arrays, and maps, are one list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Strings and numbers; none for nil.
    Words(Vec<String>),
    /// The same, sent without a question (RESP3).
    Push(Vec<String>),
    /// The text of an error, with its code.
    Error(String),
}

/// What no Redis sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotResp;

/// The first reply in `buffer` and its length in bytes; `None` while it is not complete.
pub(crate) fn parse_reply(buffer: &[u8]) -> Result<Option<(Reply, usize)>, NotResp> {
    let mut words = Vec::new();
    let mut error = None;
    let mut at = 0;
    // Values that are still to come.
    let mut due = 1_u64;
    while due > 0 {
        due -= 1;
        let Some(end) = buffer[at..].windows(2).position(|pair| pair == b"\r\n") else {
            let kind = buffer.get(at).copied().unwrap_or(b'*');
            return b"+-:$*%>_".contains(&kind).then_some(None).ok_or(NotResp);
        };
        let line = String::from_utf8_lossy(&buffer[at..at + end]);
        at += end + 2;
        let (kind, rest) = line.split_at_checked(1).ok_or(NotResp)?;
        let number = || rest.parse::<i64>().map_err(|_| NotResp);
        match kind {
            "+" | ":" => words.push(rest.to_owned()),
            "-" => error = error.or(Some(rest.to_owned())),
            // A negative length is nil.
            "*" | ">" => due = due.saturating_add(u64::try_from(number()?).unwrap_or_default()),
            "%" => due = due.saturating_add(u64::try_from(number()?).unwrap_or_default().saturating_mul(2)),
            "_" => {}
            "$" => {
                let Ok(length) = usize::try_from(number()?) else {
                    continue;
                };
                let Some(text) = buffer[at..].get(..length.saturating_add(2)) else {
                    return Ok(None);
                };
                let text = text.strip_suffix(b"\r\n").ok_or(NotResp)?;
                words.push(String::from_utf8_lossy(text).into_owned());
                at += length + 2;
            }
            _ => return Err(NotResp),
        }
    }
    let reply = match error {
        Some(error) => Reply::Error(error),
        None if buffer.first() == Some(&b'>') => Reply::Push(words),
        None => Reply::Words(words),
    };
    Ok(Some((reply, at)))
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

    fn words(words: &[&str]) -> Reply {
        Reply::Words(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_reply_is_read_once_it_is_complete() {
        let hello =
            b"*6\r\n$5\r\nproto\r\n:2\r\n$4\r\nrole\r\n$6\r\nmas\r\nr\r\n$7\r\nmodules\r\n*1\r\n*0\r\n";
        for length in 0..hello.len() {
            assert_eq!(parse_reply(&hello[..length]), Ok(None), "{length}");
        }
        let whole = words(&["proto", "2", "role", "mas\r\nr", "modules"]);
        assert_eq!(parse_reply(hello), Ok(Some((whole, hello.len()))));
        assert_eq!(parse_reply(b"+OK\r\n+next"), Ok(Some((words(&["OK"]), 5))));
        assert_eq!(parse_reply(b"*-1\r\n"), Ok(Some((words(&[]), 5))));
        assert_eq!(parse_reply(b"$-1\r\n"), Ok(Some((words(&[]), 5))));
        assert_eq!(
            parse_reply(b"%1\r\n+role\r\n_\r\n"),
            Ok(Some((words(&["role"]), 14)))
        );
        let push = Reply::Push(vec!["one".to_owned()]);
        assert_eq!(parse_reply(b">1\r\n+one\r\n"), Ok(Some((push, 10))));
        let refused = Reply::Error("NOAUTH who are you".to_owned());
        assert_eq!(parse_reply(b"-NOAUTH who are you\r\n"), Ok(Some((refused, 21))));
    }

    #[test]
    fn other_protocols_are_noticed_at_once() {
        for other in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\x15\x03\x03",
            b"$x\r\n",
            b"\r\n",
            b"$1\r\nabc",
        ] {
            assert_eq!(parse_reply(other), Err(NotResp), "{other:?}");
        }
    }
}
