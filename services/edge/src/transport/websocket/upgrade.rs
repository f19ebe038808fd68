//! From hyper's upgraded connection to a WebSocket on the bare stream: without hyper's buffers and without a
//! virtual call per read.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use super::socket::Socket;
use crate::stream::{Stream, buffered::BufferedStream};

/// Takes the stream out of hyper and puts a WebSocket on it. `None` if the connection is not one of
/// [`crate::serve`] or its client has hung up. A client that gave up on a frozen node has its peer elsewhere by
/// now and must not lose it to this node.
pub(crate) fn socket(upgraded: Upgraded, message_bytes: usize) -> Option<Socket> {
    let parts = upgraded.downcast::<TokioIo<Stream>>().ok()?;
    let stream = parts.io.into_inner();
    if stream.has_hung_up() {
        return None;
    }
    let buffered = BufferedStream::new(stream, parts.read_buf.to_vec());
    Some(Socket::new(buffered, message_bytes))
}
