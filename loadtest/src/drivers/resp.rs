//! RESP3, as much of it as a publisher and subscriber of Redis needs: commands out, replies in. It opens no
//! connection and knows no command.

/// A reply that nests deeper is malformed.
const MOST_DEPTH: usize = 8;
/// Bytes of the longest text in a reply.
const MOST_TEXT_BYTES: usize = 4 << 20;
/// Items of the largest collection in a reply.
const MOST_ITEMS: usize = 4096;
/// Bytes of the longest first line: type, number or a short text.
const MOST_LINE_BYTES: usize = 4096;

/// What Redis said.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// A text, short or long.
    Text(String),
    /// An error, such as `ERR unknown command`.
    Error(String),
    /// A number.
    Number(i64),
    /// An array, a set, or a map's keys and values in turn.
    Many(Vec<Reply>),
    /// What was not asked for now, such as a message.
    Push(Vec<Reply>),
    /// Nothing, a truth value or a fraction: of no use here.
    Other,
}

/// The bytes are no RESP3 that is expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Appends a command.
pub(super) fn command(into: &mut Vec<u8>, words: &[&str]) {
    into.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        into.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        into.extend_from_slice(word.as_bytes());
        into.extend_from_slice(b"\r\n");
    }
}

/// The first reply in `bytes` and its length; `None` if it is not there in full.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    Ok(reader.reply(MOST_DEPTH)?.map(|reply| (reply, reader.at)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn reply(&mut self, depth: usize) -> Result<Option<Reply>, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let Some(line) = self.line()? else { return Ok(None) };
        let (kind, rest) = line.split_at_checked(1).ok_or(Malformed)?;
        let reply = match kind {
            "+" => Some(Reply::Text(rest.to_owned())),
            "-" => Some(Reply::Error(rest.to_owned())),
            ":" => Some(Reply::Number(rest.parse().map_err(|_| Malformed)?)),
            "_" | "#" | "," => Some(Reply::Other),
            "$" | "=" if rest == "-1" => Some(Reply::Other),
            "$" | "=" => self.text(size(rest, MOST_TEXT_BYTES)?)?.map(Reply::Text),
            "*" if rest == "-1" => Some(Reply::Other),
            "*" | "~" => self.items(size(rest, MOST_ITEMS)?, depth)?.map(Reply::Many),
            "%" => self.items(2 * size(rest, MOST_ITEMS)?, depth)?.map(Reply::Many),
            ">" => self.items(size(rest, MOST_ITEMS)?, depth)?.map(Reply::Push),
            _ => return Err(Malformed),
        };
        Ok(reply)
    }

    fn line(&mut self) -> Result<Option<&'a str>, Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let head = rest.get(..MOST_LINE_BYTES.min(rest.len())).unwrap_or_default();
        let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
            return if head.len() < MOST_LINE_BYTES {
                Ok(None)
            } else {
                Err(Malformed)
            };
        };
        self.at += end + 2;
        let line = rest.get(..end).unwrap_or_default();
        std::str::from_utf8(line).map(Some).map_err(|_| Malformed)
    }

    fn text(&mut self, length: usize) -> Result<Option<String>, Malformed> {
        let Some(text) = self.bytes.get(self.at..self.at + length + 2) else {
            return Ok(None);
        };
        let text = text.strip_suffix(b"\r\n").ok_or(Malformed)?;
        self.at += length + 2;
        let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
        Ok(Some(text.to_owned()))
    }

    fn items(&mut self, count: usize, depth: usize) -> Result<Option<Vec<Reply>>, Malformed> {
        let mut items = Vec::new();
        for _ in 0..count {
            let Some(item) = self.reply(depth)? else {
                return Ok(None);
            };
            items.push(item);
        }
        Ok(Some(items))
    }
}

fn size(text: &str, most: usize) -> Result<usize, Malformed> {
    let size = text.parse().map_err(|_| Malformed)?;
    if size <= most { Ok(size) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Reply, command, parse};

    const PUSH: &[u8] = b">3\r\n$7\r\nmessage\r\n$1\r\np\r\n$2\r\n{}\r\n:1\r\n";

    #[test]
    fn a_push_is_read_whole_and_leaves_what_follows() {
        let text = |text: &str| Reply::Text(text.into());
        let (reply, length) = parse(PUSH).unwrap().unwrap();
        assert_eq!(reply, Reply::Push(vec![text("message"), text("p"), text("{}")]));
        assert_eq!(parse(&PUSH[length..]), Ok(Some((Reply::Number(1), 4))));
    }

    #[test]
    fn a_reply_cut_anywhere_is_awaited() {
        let (_, length) = parse(PUSH).unwrap().unwrap();
        for cut in 0..length {
            assert_eq!(parse(&PUSH[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn nonsense_and_too_much_are_malformed() {
        let deep = "*1\r\n".repeat(9);
        for bytes in [
            "?\r\n",
            ":x\r\n",
            "$99999999999\r\n",
            "$1\r\nabc",
            "*-7\r\n",
            "\r\n",
            &deep,
        ] {
            assert_eq!(parse(bytes.as_bytes()), Err(Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn a_command_counts_bytes_not_characters() {
        let mut bytes = Vec::new();
        command(&mut bytes, &["PUBLISH", "ä"]);
        assert_eq!(bytes, "*2\r\n$7\r\nPUBLISH\r\n$2\r\nä\r\n".as_bytes());
    }
}
