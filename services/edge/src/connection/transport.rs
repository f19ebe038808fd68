//! What the connection's loop asks of a transport: frames in, frames out, how a close is said. Not the meaning
//! of a frame (`switchboard_protocol::codec`). The transports themselves are in `crate::transport`.

use std::task::{Context, Poll};

use switchboard_core::Attachment;

use super::{end::ConnectionEnd, frame::Frame};
use crate::{state::Edge, stream::buffered::BytesMoved};

/// One client's frames, in both directions.
pub(crate) trait Transport: Send + Sized + 'static {
    /// The label under which its connections are counted.
    const LABEL: switchboard_telemetry::Transport;

    /// What the request leaves behind for [`Transport::open`].
    type Opening: Send;

    /// Opens the transport after the request was answered. `None`: the client is gone.
    fn open(opening: Self::Opening) -> impl Future<Output = Option<Self>> + Send;

    /// The session is attached; nothing was written yet. For a transport whose commands come by other requests.
    fn attached(&mut self, _edge: &Edge, _attachment: &Attachment) {}

    /// The next frame of the client, or the end of the connection.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, ConnectionEnd>>;

    /// How often bytes have moved: signs of life, even where no frame is complete.
    fn bytes_moved(&self) -> BytesMoved;

    /// Whether another frame may be buffered before the next flush.
    fn has_room(&self) -> bool;

    /// Buffers a text frame; `write` appends its text, which must be UTF-8. `seq` is the number of a message. Returns the
    /// length of the text in bytes.
    fn write_text(&mut self, seq: Option<u64>, write: impl FnOnce(&mut Vec<u8>)) -> usize;

    /// Buffers a frame that a living client answers.
    fn write_ping(&mut self);

    /// Sends all buffered frames. Pending: the client or the network is slow.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionEnd>>;

    /// Tells the client how the connection ended, and closes it. Bounded in time.
    fn close(self, end: ConnectionEnd) -> impl Future<Output = ()> + Send;
}
