//! Frames of a node, written straight into the stream's buffer (RFC 6455, section 5.2; a server masks nothing).

/// First bytes of frames in one piece.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The longest payload with a length of one byte, and with one of three.
const SHORT: usize = 125;
const MEDIUM: usize = 0xffff;

/// Bytes of the header of a medium frame, which most frames are.
const MEDIUM_HEADER: usize = 4;

/// Appends a text frame to `out`; `write` appends its text. Returns the length of the text in bytes.
pub(super) fn text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = out.len();
    out.extend_from_slice(&[TEXT, 126, 0, 0]);
    write(out);
    let length = out.len() - start - MEDIUM_HEADER;
    let (header, header_bytes) = header(TEXT, length);
    // Mostly the header has the reserved size; only a short or a huge payload is moved.
    out.splice(
        start..start + MEDIUM_HEADER,
        header.into_iter().take(header_bytes),
    );
    length
}

/// Appends a binary frame to `out`.
pub(super) fn binary(out: &mut Vec<u8>, payload: &[u8]) {
    whole(out, BINARY, payload);
}

/// Appends a ping to `out`.
pub(super) fn ping(out: &mut Vec<u8>) {
    whole(out, PING, &[]);
}

/// Appends the answer to a ping with this payload to `out`.
pub(super) fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    whole(out, PONG, payload);
}

/// Appends a close frame to `out`, with a code or without. A reason of the protocol's tables is short enough.
pub(super) fn close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(reason.as_bytes());
        payload.truncate(SHORT);
    }
    whole(out, CLOSE, &payload);
}

fn whole(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    let (header, header_bytes) = header(first, payload.len());
    out.extend(header.into_iter().take(header_bytes));
    out.extend_from_slice(payload);
}

/// The header of a frame with a payload of that length: bytes, and how many of them.
fn header(first: u8, length: usize) -> ([u8; 10], usize) {
    let mut header = [0; 10];
    header[0] = first;
    if length <= SHORT {
        header[1] = length as u8;
        (header, 2)
    } else if length <= MEDIUM {
        header[1] = 126;
        header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        (header, MEDIUM_HEADER)
    } else {
        header[1] = 127;
        header[2..].copy_from_slice(&(length as u64).to_be_bytes());
        (header, 10)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt as _;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

    use super::*;
    use crate::stream::{Stream, buffered::BufferedStream};

    #[tokio::test]
    async fn frames_of_every_length_are_read_by_a_websocket_client() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        let mut stream = BufferedStream::new(Stream::accept(server.unwrap().0), Vec::new());
        let mut client = WebSocketStream::from_raw_socket(client.unwrap(), Role::Client, None).await;
        let lengths = [0, 1, 125, 126, 1000, 65_535, 65_536, 100_000];
        for length in lengths {
            let fill = |out: &mut Vec<u8>| out.extend(std::iter::repeat_n(b'x', length));
            assert_eq!(text(stream.gathered(), fill), length);
        }
        ping(stream.gathered());
        let reading = tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let message = client.next().await.unwrap().unwrap();
                if message.is_ping() {
                    return seen;
                }
                seen.push(message.into_text().unwrap().len());
            }
        });
        stream.flush().await.unwrap();
        let seen = tokio::time::timeout(Duration::from_secs(5), reading)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(seen, lengths);
        assert!(stream.is_lean(), "an idle connection keeps no buffer");
    }
}
