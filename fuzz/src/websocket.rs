//! The node's reader of WebSocket frames: the same in whatever pieces the bytes come, and the same as tungstenite's.
//! Compiled here and in the tests of `switchboard-edge`. Not the frames that a node writes.

use std::io::{self, Read, Write};

use switchboard_edge::fuzzing::{
    WebSocketError as Failure, WebSocketInput as Input, websocket_close_code as close_code,
    websocket_inputs as inputs,
};
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};

/// The longest message in bytes. Above it, tungstenite ends the connection; the node may skip a text.
pub const MOST: usize = 256;

/// Zeros that complete any frame of up to [`MOST`] bytes.
const PADDING: [u8; MOST + 16] = [0; MOST + 16];

/// A registered code that tungstenite does not know.
const BAD_GATEWAY: u16 = 1014;

/// How tungstenite's reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The bytes end.
    Starved,
    /// It has read a close frame.
    Closed,
    Protocol,
    TooLarge,
    Utf8,
}

/// All of a client's bytes, and nobody who reads the answers.
struct Client<'a>(&'a [u8]);

impl Read for Client<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl Write for Client<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Any bytes of a client.
///
/// # Panics
/// When the reader finds something else in other pieces, or something else than tungstenite.
pub fn websocket(bytes: &[u8]) {
    let ours = inputs(MOST, [bytes]);
    assert_eq!(inputs(MOST, bytes.chunks(1)), ours, "byte by byte");
    assert_eq!(inputs(MOST, uneven(bytes)), ours, "in uneven pieces");
    // tungstenite takes a control frame that states a short length in the long form.
    let bytes = &bytes[..before_long_control(bytes)];
    let ours = inputs(MOST, [bytes]);
    let (messages, end) = tungstenite(bytes);
    let mut left = ours
        .iter()
        .filter(|input| !matches!(input, Ok(Input::Fragment(_))));
    for message in &messages {
        let input = left.next();
        assert!(is_same(input, message), "{input:?} is not {message:?}");
    }
    let next = left.next();
    match end {
        End::Starved => match next {
            None => {}
            // The node refuses a frame by its first bytes, and tungstenite when all of it is there.
            Some(Err(_)) => {
                let (later, end) = tungstenite(&[bytes, &PADDING].concat());
                assert!(later == messages && end != End::Starved && end != End::Closed);
            }
            Some(input) => panic!("tungstenite does not find {input:?}"),
        },
        End::Closed => assert_eq!(next, None),
        End::Protocol => assert_eq!(failure(next), Some(Failure::Protocol)),
        // In a close frame, the node looks at the code first.
        End::Utf8 => assert!(
            matches!(next, Some(Ok(Input::Close(_))) if failure(next).is_some())
                || failure(next) == Some(Failure::Utf8)
        ),
        End::TooLarge => {
            let mut rest = next.into_iter().chain(left);
            let next =
                rest.find(|input| !matches!(input, Ok(Input::Ping(_) | Input::Pong | Input::Close(_))));
            assert!(
                matches!(
                    next,
                    None | Some(Ok(Input::Oversized(_)) | Err(Failure::Protocol | Failure::TooLarge))
                ),
                "{next:?} is over the limit"
            );
        }
    }
}

/// The bytes of all frames before the first control frame with a length in the long form.
fn before_long_control(bytes: &[u8]) -> usize {
    let mut start = 0;
    while let Some([first, second, rest @ ..]) = bytes.get(start..) {
        let (is_control, is_masked) = (first & 0x08 != 0, second & 0x80 != 0);
        let extended = match second & 0x7f {
            126 | 127 if is_control => return start,
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let number = rest.get(..extended).unwrap_or_default();
        let length = match extended {
            0 => usize::from(second & 0x7f),
            _ => number
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        start = start
            .saturating_add(2 + extended + if is_masked { 4 } else { 0 })
            .saturating_add(length);
    }
    bytes.len()
}

/// Pieces whose lengths depend on their first bytes.
fn uneven(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some(first) = bytes.first() {
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + usize::from(first % 23)));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// What tungstenite finds, and how it ends.
fn tungstenite(bytes: &[u8]) -> (Vec<Message>, End) {
    let config = WebSocketConfig::default()
        .read_buffer_size(512)
        .max_message_size(Some(MOST))
        .max_frame_size(Some(MOST));
    let mut socket = WebSocket::from_raw_socket(Client(bytes), Role::Server, Some(config));
    let mut messages = Vec::new();
    let end = loop {
        match socket.read() {
            Ok(message) => {
                let is_close = message.is_close();
                messages.push(message);
                if is_close {
                    break End::Closed;
                }
            }
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break End::Starved,
            Err(Error::Protocol(_)) => break End::Protocol,
            Err(Error::Capacity(_)) => break End::TooLarge,
            Err(Error::Utf8(_)) => break End::Utf8,
            Err(error) => panic!("{error}"),
        }
    };
    (messages, end)
}

/// Why the node ends the connection with this input.
fn failure(input: Option<&Result<Input, Failure>>) -> Option<Failure> {
    match input? {
        Ok(Input::Close(payload)) => close_code(payload).err(),
        Ok(_) => None,
        Err(error) => Some(*error),
    }
}

fn is_same(input: Option<&Result<Input, Failure>>, message: &Message) -> bool {
    let Some(Ok(input)) = input else { return false };
    match (input, message) {
        (Input::Text(ours), Message::Text(theirs)) => ours.as_str() == theirs.as_str(),
        (Input::Binary(ours), Message::Binary(theirs)) => ours == theirs,
        (Input::Ping(ours), Message::Ping(theirs)) => ours == theirs,
        (Input::Pong, Message::Pong(_)) => true,
        (Input::Close(ours), Message::Close(theirs)) => is_same_close(ours, theirs.as_ref()),
        _ => false,
    }
}

fn is_same_close(payload: &[u8], theirs: Option<&CloseFrame>) -> bool {
    match (close_code(payload), theirs) {
        (Ok(None), None) | (Ok(Some(BAD_GATEWAY)), Some(_)) => true,
        (Ok(Some(code)), Some(theirs)) => {
            code == u16::from(theirs.code) && payload.get(2..) == Some(theirs.reason.as_bytes())
        }
        // tungstenite reports its own answer instead of a code that no client may send.
        (Err(Failure::Protocol), Some(theirs)) => theirs.code == CloseCode::Protocol,
        _ => false,
    }
}
