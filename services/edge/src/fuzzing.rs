//! The decoders of bytes from the network with what must hold for all bytes, for fuzz targets. Not part of the API.

use crate::{
    stream::proxy_header::{MAX_V2_BYTES, Step, step},
    transport::websocket::{close, reader::FrameReader},
};

pub use crate::transport::websocket::input::{Input as WebSocketInput, ReadError as WebSocketError};

/// Headers of the PROXY protocol: the parser asks for bytes within its bound, and never for none.
///
/// # Panics
/// When that does not hold.
pub fn proxy_header(bytes: &[u8]) {
    let mut known = 0;
    while let Ok(Step::More(more)) = step(&bytes[..known]) {
        assert!(more > 0 && known + more <= MAX_V2_BYTES);
        if known + more > bytes.len() {
            return;
        }
        known += more;
    }
}

/// All that a WebSocket's reader makes of a client's bytes that come in `pieces`, up to a close frame or the first error.
/// Messages may have up to `most` bytes.
pub fn websocket_inputs<'a>(
    most: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<WebSocketInput, WebSocketError>> {
    let mut reader = FrameReader::new(most);
    let mut found = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            let (taken, input) = reader.read(piece);
            piece = piece.get(taken..).unwrap_or_default();
            let is_last = matches!(input, Some(Ok(WebSocketInput::Close(_)) | Err(_)));
            found.extend(input);
            if is_last {
                return found;
            }
        }
    }
    found
}

/// The code in the payload of a client's close frame.
///
/// # Errors
/// When the payload is not as RFC 6455 wants it.
pub fn websocket_close_code(payload: &[u8]) -> Result<Option<u16>, WebSocketError> {
    close::code_of(payload)
}
