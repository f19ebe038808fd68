//! A WebSocket on its stream: the reader's inputs, and where frames are written. Not the meaning of a frame.

use std::task::{Context, Poll, ready};

use super::{
    input::{Input, ReadError},
    reader::FrameReader,
};
use crate::stream::buffered::BufferedStream;

/// Why no more inputs come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketError {
    /// The client sent something that cannot be read on.
    Read(ReadError),
    /// The stream has ended.
    Lost,
}

/// Frames in both directions on one stream.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: BufferedStream,
    reader: FrameReader,
    /// After a read error the place of the next frame is unknown; after a close frame there is none.
    is_broken: bool,
}

impl Socket {
    /// Reads messages of up to `max_message_bytes`.
    pub(super) const fn new(stream: BufferedStream, max_message_bytes: usize) -> Self {
        Self {
            stream,
            reader: FrameReader::new(max_message_bytes),
            is_broken: false,
        }
    }

    pub(super) const fn stream(&mut self) -> &mut BufferedStream {
        &mut self.stream
    }

    pub(super) const fn stream_ref(&self) -> &BufferedStream {
        &self.stream
    }

    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// From now on nothing of the client is read.
    pub(super) const fn stop_reading(&mut self) {
        self.is_broken = true;
    }

    /// The next input of the client.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<Input, SocketError>> {
        // A client that reads no answers is not read either.
        if self.stream.is_overfull() && ready!(self.stream.poll_flush(cx)).is_err() {
            return Poll::Ready(Err(SocketError::Lost));
        }
        let reader = &mut self.reader;
        let input = ready!(self.stream.poll_take(cx, |bytes| reader.read(bytes)));
        Poll::Ready(match input {
            Ok(Some(Ok(input))) => Ok(input),
            Ok(Some(Err(error))) => {
                self.stop_reading();
                Err(SocketError::Read(error))
            }
            Ok(None) | Err(_) => Err(SocketError::Lost),
        })
    }
}
