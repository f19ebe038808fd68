//! RESP2 and RESP3, as much as tests and the load generator need: commands out, replies in. The broker has a parser of
//! its own (`broker/src/redis/shard/subscriber/parser.rs`): it borrows each message from the receive buffer, knows the three
//! frames of a pub/sub connection only, and is part of a node, which must not link this crate.

mod connection;

use anyhow::Context as _;

pub use connection::{Connection, call};

/// A reply that nests deeper is malformed.
const MAX_DEPTH: usize = 8;
/// Bytes of the longest text in a reply.
const MAX_TEXT_BYTES: usize = 4 << 20;
/// Items of the largest collection in a reply.
const MAX_ITEMS: usize = 65_536;
/// Bytes of the longest first line: type, number or a short text.
const MAX_LINE_BYTES: usize = 4096;

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A text, short or long.
    Text(String),
    /// An error, for example `ERR unknown command`.
    Error(String),
    /// An integer.
    Integer(i64),
    /// An array, a set, or the keys and values of a map in turn.
    Array(Vec<Reply>),
    /// An out-of-band push, for example a published message.
    Push(Vec<Reply>),
    /// Null, a boolean or a double: nothing here uses their values.
    Other,
}

/// The bytes are no RESP, or exceed a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Appends a command.
pub fn command(into: &mut Vec<u8>, words: &[&str]) {
    into.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        into.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        into.extend_from_slice(word.as_bytes());
        into.extend_from_slice(b"\r\n");
    }
}

/// The first reply in `bytes` and its length; `None` if it is incomplete.
///
/// # Errors
/// When the bytes are malformed.
pub fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    Ok(reader.reply(MAX_DEPTH)?.map(|reply| (reply, reader.at)))
}

impl TryFrom<Reply> for String {
    type Error = anyhow::Error;

    fn try_from(reply: Reply) -> anyhow::Result<Self> {
        let Reply::Text(text) = reply else {
            anyhow::bail!("the reply is no text: {reply:?}");
        };
        Ok(text)
    }
}

impl TryFrom<Reply> for u64 {
    type Error = anyhow::Error;

    /// An integer, or a text that is one, as in hashes.
    fn try_from(reply: Reply) -> anyhow::Result<Self> {
        if let Reply::Integer(number) = reply {
            return Ok(number.try_into()?);
        }
        let text = String::try_from(reply)?;
        text.parse()
            .with_context(|| format!("the reply is no number: {text}"))
    }
}

impl TryFrom<Reply> for Vec<Reply> {
    type Error = anyhow::Error;

    fn try_from(reply: Reply) -> anyhow::Result<Self> {
        let Reply::Array(items) = reply else {
            anyhow::bail!("the reply is no array: {reply:?}");
        };
        Ok(items)
    }
}

impl TryFrom<Reply> for Vec<String> {
    type Error = anyhow::Error;

    fn try_from(reply: Reply) -> anyhow::Result<Self> {
        let items = Vec::<Reply>::try_from(reply)?;
        items.into_iter().map(String::try_from).collect()
    }
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
            ":" => Some(Reply::Integer(rest.parse().map_err(|_| Malformed)?)),
            "_" | "#" | "," => Some(Reply::Other),
            "$" | "=" if rest == "-1" => Some(Reply::Other),
            "$" | "=" => self.text(size(rest, MAX_TEXT_BYTES)?)?.map(Reply::Text),
            "*" if rest == "-1" => Some(Reply::Other),
            "*" | "~" => self.items(size(rest, MAX_ITEMS)?, depth)?.map(Reply::Array),
            "%" => self.items(2 * size(rest, MAX_ITEMS)?, depth)?.map(Reply::Array),
            ">" => self.items(size(rest, MAX_ITEMS)?, depth)?.map(Reply::Push),
            _ => return Err(Malformed),
        };
        Ok(reply)
    }

    fn line(&mut self) -> Result<Option<&'a str>, Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let head = rest.get(..MAX_LINE_BYTES.min(rest.len())).unwrap_or_default();
        let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
            return if head.len() < MAX_LINE_BYTES {
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

fn size(text: &str, max: usize) -> Result<usize, Malformed> {
    let size = text.parse().map_err(|_| Malformed)?;
    if size <= max { Ok(size) } else { Err(Malformed) }
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
        assert_eq!(parse(&PUSH[length..]), Ok(Some((Reply::Integer(1), 4))));
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
