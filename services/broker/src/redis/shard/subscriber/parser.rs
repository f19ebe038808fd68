//! Reads a RESP2 pub/sub connection, one complete frame at a time, borrowed from the receive buffer. Not a
//! general RESP parser: anything that cannot appear there is an error, and an error ends the connection.

/// The largest payload accepted, in bytes: the largest message of a client in its envelope.
pub(crate) const MAX_PAYLOAD_BYTES: usize = MAX_MESSAGE_BYTES + MAX_ENVELOPE_HEAD_BYTES;

/// The largest message of a client that nodes forward over Redis, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Room for the part of an envelope before its payload: a node's and a peer's name, and fixed fields, in bytes.
const MAX_ENVELOPE_HEAD_BYTES: usize = 1024;

/// The largest payload that is skipped, in bytes: Redis itself takes no larger one.
const MAX_SKIPPED_BYTES: usize = 512 * 1024 * 1024;

/// The elements of every array: kind, channel, and payload or count.
const ELEMENTS: i64 = 3;

/// The longest line without its payload: an error text, a length.
const MAX_LINE_BYTES: usize = 1024;

/// The end of a line and of a bulk string.
const LINE_BREAK: &[u8] = b"\r\n";

/// One frame from Redis.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A client published `payload` on `channel`.
    Message { channel: &'a [u8], payload: &'a [u8] },
    /// A client published more than any node does on `channel`. The frame ends where the payload begins; `skip` bytes
    /// follow that belong to it.
    Oversized { channel: &'a [u8], skip: usize },
    /// A subscription is in force.
    Subscribed { channel: &'a [u8] },
    /// A subscription has ended.
    Unsubscribed { channel: &'a [u8] },
    /// A command succeeded (`+OK`).
    Ok,
    /// A command was refused.
    Error(&'a [u8]),
}

/// Bytes that no Redis sends on such a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not RESP2 of a pub/sub connection: {0}")]
pub(crate) struct ProtocolError(&'static str);

type Parsed<T> = Result<Option<T>, ProtocolError>;

/// The first frame in `buffer` and its length; `None` when it is not complete yet.
pub(crate) fn parse(buffer: &[u8]) -> Parsed<(Frame<'_>, usize)> {
    let mut reader = Reader { buffer, at: 0 };
    Ok(reader.frame()?.map(|frame| (frame, reader.at)))
}

struct Reader<'a> {
    buffer: &'a [u8],
    at: usize,
}

/// Leaves the surrounding function when more bytes are needed.
macro_rules! complete {
    ($read:expr) => {
        match $read? {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

impl<'a> Reader<'a> {
    fn frame(&mut self) -> Parsed<Frame<'a>> {
        let (kind, line) = complete!(self.line());
        match kind {
            b'*' => self.array(number(line)?),
            b'+' => Ok(Some(Frame::Ok)),
            b'-' => Ok(Some(Frame::Error(line))),
            _ => Err(ProtocolError("a reply of an unexpected type")),
        }
    }

    fn array(&mut self, elements: i64) -> Parsed<Frame<'a>> {
        if elements != ELEMENTS {
            return Err(ProtocolError("an array of an unexpected length"));
        }
        let kind = complete!(self.bulk());
        let channel = complete!(self.bulk());
        match kind {
            b"message" | b"smessage" => {
                let length = complete!(self.length());
                if (MAX_PAYLOAD_BYTES + 1..=MAX_SKIPPED_BYTES).contains(&length) {
                    let skip = length + LINE_BREAK.len();
                    return Ok(Some(Frame::Oversized { channel, skip }));
                }
                let payload = complete!(self.text(length));
                Ok(Some(Frame::Message { channel, payload }))
            }
            b"subscribe" | b"unsubscribe" | b"ssubscribe" | b"sunsubscribe" => {
                let (tag, count) = complete!(self.line());
                if tag != b':' {
                    return Err(ProtocolError("a confirmation without its count"));
                }
                number(count)?;
                Ok(Some(if matches!(kind, b"subscribe" | b"ssubscribe") {
                    Frame::Subscribed { channel }
                } else {
                    Frame::Unsubscribed { channel }
                }))
            }
            _ => Err(ProtocolError("an array of an unexpected kind")),
        }
    }

    /// A bulk string; the null one, which an unsubscribe from nothing carries, reads as empty.
    fn bulk(&mut self) -> Parsed<&'a [u8]> {
        let (kind, line) = complete!(self.line());
        match (kind, line) {
            (b'$', b"-1") => Ok(Some(&[])),
            (b'$', line) => self.text(length(line)?),
            _ => Err(ProtocolError("an element that is no bulk string")),
        }
    }

    /// The announced length of a bulk string, which is not null.
    fn length(&mut self) -> Parsed<usize> {
        match complete!(self.line()) {
            (b'$', line) => length(line).map(Some),
            _ => Err(ProtocolError("an element that is no bulk string")),
        }
    }

    /// The text of a bulk string.
    fn text(&mut self, length: usize) -> Parsed<&'a [u8]> {
        if length > MAX_PAYLOAD_BYTES {
            return Err(ProtocolError("a text over the limit"));
        }
        let whole = length + LINE_BREAK.len();
        let Some(rest) = self.buffer.get(self.at..).filter(|rest| rest.len() >= whole) else {
            return Ok(None);
        };
        let (text, rest) = rest.split_at(length);
        if !rest.starts_with(LINE_BREAK) {
            return Err(ProtocolError("a bulk string longer than announced"));
        }
        self.at += whole;
        Ok(Some(text))
    }

    /// A type byte and the rest of its line.
    fn line(&mut self) -> Parsed<(u8, &'a [u8])> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let Some(end) = rest.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n') else {
            return if rest.len() < MAX_LINE_BYTES {
                Ok(None)
            } else {
                Err(ProtocolError("a line over the limit"))
            };
        };
        self.at += end + 1;
        match rest.get(..end).and_then(|line| line.strip_suffix(b"\r")) {
            Some([kind, line @ ..]) => Ok(Some((*kind, line))),
            Some([]) | None => Err(ProtocolError("an empty line")),
        }
    }
}

fn length(digits: &[u8]) -> Result<usize, ProtocolError> {
    usize::try_from(number(digits)?).map_err(|_| ProtocolError("a negative length"))
}

fn number(digits: &[u8]) -> Result<i64, ProtocolError> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(ProtocolError("a length that is no number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\na\r\nb\n\r\n";

    fn bulk(text: &[u8]) -> Vec<u8> {
        [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
    }

    #[test]
    fn each_kind_of_frame_is_read() {
        let message = Frame::Message {
            channel: b"ch",
            payload: b"a\r\nb\n",
        };
        assert_eq!(parse(MESSAGE), Ok(Some((message, MESSAGE.len()))));
        for (text, frame) in [
            (
                &b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"[..],
                Frame::Subscribed { channel: b"c" },
            ),
            (
                b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
                Frame::Unsubscribed { channel: b"" },
            ),
            (b"+OK\r\n", Frame::Ok),
            (b"-NOAUTH please\r\n", Frame::Error(b"NOAUTH please")),
        ] {
            assert_eq!(parse(text), Ok(Some((frame, text.len()))));
        }
    }

    #[test]
    fn what_redis_never_sends_here_is_an_error() {
        for text in [
            &b"*2147483647\r\n"[..],
            b"*-1\r\n",
            b"*3\r\n:1\r\n",
            b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$536870913\r\n",
            b"*3\r\n$7\r\nmessage\r\n$1049601\r\n",
            b"*3\r\n$1\r\nxx\r\n",
            b"$2\r\nhi\r\n",
            b"\r\n",
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n$1\r\n1\r\n",
        ] {
            assert!(parse(text).is_err(), "{}", text.escape_ascii());
        }
        assert!(parse(&[b'+'; MAX_LINE_BYTES]).is_err(), "a line without an end");
    }

    #[test]
    fn a_payload_may_have_the_largest_envelope_and_a_line_a_kibibyte() {
        let head = |bytes: usize| format!("*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n${bytes}\r\n");
        assert_eq!(parse(head(1_049_600).as_bytes()), Ok(None));
        let line = |bytes: usize| format!("-{}\r\n", "x".repeat(bytes - 3));
        assert_eq!(
            parse(line(1_024).as_bytes()).map(|frame| frame.unwrap().1),
            Ok(1_024)
        );
        assert!(parse(line(1_025).as_bytes()).is_err());
        assert_eq!(parse(&[b'-'; 1_023]), Ok(None));
        assert!(parse(&[b'-'; 1_024]).is_err());
    }

    #[test]
    fn a_payload_over_the_limit_is_skipped_with_its_line_break() {
        let head = |bytes: usize| format!("*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n${bytes}\r\n");
        for bytes in [MAX_PAYLOAD_BYTES + 1, MAX_SKIPPED_BYTES] {
            let head = head(bytes);
            let oversized = Frame::Oversized {
                channel: b"ch",
                skip: bytes + 2,
            };
            assert_eq!(parse(head.as_bytes()), Ok(Some((oversized, head.len()))));
        }
    }

    #[test]
    fn an_envelope_of_the_largest_message_and_the_longest_names_fits() {
        let name = "x".repeat(128);
        let mid = switchboard_protocol::Mid {
            session: switchboard_protocol::SessionId::from_bytes([1; 12]),
            id: switchboard_protocol::MessageId::Client(u64::MAX),
        };
        let envelope = switchboard_protocol::Envelope {
            kind: switchboard_protocol::MessageKind::Message,
            mid,
            prev: Some(u64::MAX),
            trace: None,
            origin: &name,
            from: &format!("{name}/{name}"),
            payload: &"1".repeat(MAX_MESSAGE_BYTES),
        };
        // A trace context has 25 bytes.
        assert!(envelope.encode().len() + 25 <= MAX_PAYLOAD_BYTES);
    }

    #[test]
    fn an_array_has_three_elements_and_a_bulk_string_ends_where_it_says() {
        for text in [
            &b"*2\r\n$7\r\nmessage\r\n$2\r\nch\r\n"[..],
            b"*4\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nx\r\n$1\r\nx\r\n",
            b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nxyz",
            b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$-2\r\n",
            b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:x\r\n",
            b"*3\r\n$8\r\npmessage\r\n$1\r\nc\r\n$1\r\nx\r\n",
        ] {
            assert!(parse(text).is_err(), "{}", text.escape_ascii());
        }
        let not_yet = b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nx\r";
        assert_eq!(parse(not_yet), Ok(None), "the line break is not complete");
    }

    #[test]
    fn a_frame_ends_where_the_next_begins() {
        let two = b"+OK\r\n-no\r\n";
        assert_eq!(parse(two), Ok(Some((Frame::Ok, 5))));
        assert_eq!(parse(&two[5..]), Ok(Some((Frame::Error(b"no"), 5))));
    }

    proptest! {
        #[test]
        fn a_message_is_read_whole_or_not_at_all(channel: Vec<u8>, payload: Vec<u8>, rest: Vec<u8>) {
            let text = [&b"*3\r\n"[..], &bulk(b"message"), &bulk(&channel), &bulk(&payload)].concat();
            for end in 0..text.len() {
                prop_assert_eq!(parse(&text[..end]), Ok(None));
            }
            let all = [text.as_slice(), &rest].concat();
            let message = Frame::Message { channel: &channel, payload: &payload };
            prop_assert_eq!(parse(&all), Ok(Some((message, text.len()))));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_change_of_a_valid_frame_makes_it_panic(at in 0..MESSAGE.len(), byte: u8, cut in 0..MESSAGE.len()) {
            let mut text = MESSAGE.to_vec();
            text[at] = byte;
            let _ = parse(&text);
            let _ = parse(&text[cut..]);
        }
    }
}
