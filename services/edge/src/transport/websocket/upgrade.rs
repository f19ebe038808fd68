//! From hyper's upgraded connection to a WebSocket on the bare stream: without hyper's buffers and without a
//! virtual call per read.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use crate::stream::{Stream, buffered::BufferedStream};

/// tungstenite's framing on a buffered stream.
pub(crate) type Socket = WebSocketStream<BufferedStream>;

/// tungstenite's own read buffer, allocated eagerly and zero-filled before each read: a small one is lean and
/// quick, because [`BufferedStream`] reads ahead.
const READ_BUFFER_BYTES: usize = 128;

/// Bytes of a frame's header and of control frames beyond the largest message.
const WRITE_MARGIN_BYTES: usize = 1024;

/// Takes the stream out of hyper and puts a WebSocket on it. `None` if the connection is not one of
/// [`crate::serve`] or its client has hung up. A client that gave up on a frozen node has its peer elsewhere by
/// now and must not lose it to this node.
pub(crate) async fn socket(upgraded: Upgraded, message_bytes: usize) -> Option<Socket> {
    let parts = upgraded.downcast::<TokioIo<Stream>>().ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // `BufferedStream` gathers; tungstenite passes each frame on at once.
        .write_buffer_size(0)
        .max_write_buffer_size(message_bytes + WRITE_MARGIN_BYTES)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes));
    let stream = parts.io.into_inner();
    if stream.has_hung_up() {
        return None;
    }
    let buffered = BufferedStream::new(stream);
    let already_read = parts.read_buf.to_vec();
    Some(WebSocketStream::from_partially_read(buffered, already_read, Role::Server, Some(config)).await)
}
