//! Frames out of bytes (RFC 6455, section 5), as a server reads them: incremental, with each frame counted, and with text
//! over the limit skipped instead of buffered. No IO, and no answer to a control frame: those are the transport's.

use switchboard_protocol::MAX_HEAD_BYTES;

use super::{
    input::{Input, ReadError},
    mask::unmask,
    message::{Message, MessageProgress},
};

/// A text message up to this many times the limit is skipped and answered; a longer one ends the connection.
const SKIPPED_TIMES_LIMIT: u64 = 16;

/// The longest header of a client's frame: two bytes, eight of length, four of mask.
const MAX_HEADER_BYTES: usize = 14;

/// The longest payload of a control frame (RFC 6455, section 5.5).
pub(super) const MAX_CONTROL_BYTES: usize = 125;

/// Bits of a header's first two bytes.
const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// The kinds of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn parse(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The frame whose payload is being read.
#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    mask: [u8; 4],
    length: u64,
    left: u64,
}

/// One connection's frames. Between messages it keeps its limit and nothing else.
#[derive(Debug)]
pub(crate) struct FrameReader {
    max_message_bytes: usize,
    /// Exists only while a frame or a message in fragments is incomplete.
    unfinished: Option<Box<Unfinished>>,
}

impl FrameReader {
    pub(crate) const fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            unfinished: None,
        }
    }

    /// Takes bytes up to the end of the first input. Returns how many were taken: all, if there is no input yet.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> (usize, Option<Result<Input, ReadError>>) {
        // Most frames come at once, and their state never leaves the stack.
        let mut fresh = Unfinished::default();
        let mut kept = self.unfinished.take();
        let state = kept.as_deref_mut().unwrap_or(&mut fresh);
        let read = state.read(bytes, self.max_message_bytes as u64);
        if !state.is_empty() {
            self.unfinished = Some(kept.unwrap_or_else(|| Box::new(fresh)));
        }
        read
    }
}

/// A frame, or a message in fragments, of which something is still to come.
#[derive(Debug, Default)]
struct Unfinished {
    header: [u8; MAX_HEADER_BYTES],
    header_bytes: usize,
    frame: Option<Frame>,
    control: Vec<u8>,
    message: Option<Message>,
}

impl Unfinished {
    /// Whether the next byte begins a message.
    const fn is_empty(&self) -> bool {
        self.header_bytes == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// As [`FrameReader::read`], for messages of up to `most` bytes.
    fn read(&mut self, bytes: &[u8], most: u64) -> (usize, Option<Result<Input, ReadError>>) {
        let mut taken = 0;
        if self.frame.is_none() {
            taken = match self.read_header(bytes, most) {
                Ok(count) => count,
                Err(error) => return (bytes.len(), Some(Err(error))),
            };
        }
        let Some(frame) = &mut self.frame else {
            return (taken, None);
        };
        let rest = bytes.get(taken..).unwrap_or_default();
        let count = usize::try_from(frame.left).map_or(rest.len(), |left| left.min(rest.len()));
        let now = rest.get(..count).unwrap_or_default();
        let offset = (frame.length - frame.left) as usize % frame.mask.len();
        frame.left -= count as u64;
        taken += count;
        if let Err(error) = self.take(now, offset) {
            return (taken, Some(Err(error)));
        }
        let input = self.frame.take_if(|frame| frame.left == 0);
        (taken, input.map(|frame| self.complete(&frame)))
    }

    /// Gathers a header; with its last byte the frame begins. Returns how many bytes it took.
    fn read_header(&mut self, bytes: &[u8], most: u64) -> Result<usize, ReadError> {
        for (index, byte) in bytes.iter().enumerate() {
            if let Some(place) = self.header.get_mut(self.header_bytes) {
                *place = *byte;
            }
            self.header_bytes += 1;
            let [first, second, ..] = self.header;
            let extended = match second & LENGTH {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            // A wrong frame is refused before the rest arrives.
            if self.header_bytes == 2 {
                self.check_start(first, second)?;
            }
            if self.header_bytes == 2 + extended + 4 {
                self.begin_frame(first, second, extended, most)?;
                return Ok(index + 1);
            }
        }
        Ok(bytes.len())
    }

    fn check_start(&self, first: u8, second: u8) -> Result<(), ReadError> {
        let opcode = Opcode::parse(first & OPCODE).ok_or(ReadError::Protocol)?;
        let is_final = first & FINAL != 0;
        let is_wrong = if opcode.is_control() {
            !is_final || usize::from(second & LENGTH) > MAX_CONTROL_BYTES
        } else {
            // A continuation continues a message, and nothing else may come in between.
            (opcode == Opcode::Continuation) != self.message.is_some()
        };
        if is_wrong || first & RESERVED != 0 || second & MASKED == 0 {
            return Err(ReadError::Protocol);
        }
        Ok(())
    }

    fn begin_frame(&mut self, first: u8, second: u8, extended: usize, most: u64) -> Result<(), ReadError> {
        let opcode = Opcode::parse(first & OPCODE).ok_or(ReadError::Protocol)?;
        let number = self.header.iter().skip(2).take(extended);
        let length = match extended {
            0 => u64::from(second & LENGTH),
            _ => number.fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        if length > i64::MAX as u64 {
            return Err(ReadError::Protocol);
        }
        let mut mask = [0; 4];
        for (place, byte) in mask.iter_mut().zip(self.header.iter().skip(2 + extended)) {
            *place = *byte;
        }
        self.header_bytes = 0;
        if !opcode.is_control() {
            let message = self
                .message
                .get_or_insert_with(|| Message::new(opcode == Opcode::Text));
            match message.announce(length, most, most * SKIPPED_TIMES_LIMIT, MAX_HEAD_BYTES) {
                MessageProgress::Fits => {}
                MessageProgress::TooLarge => return Err(ReadError::TooLarge),
            }
        }
        self.frame = Some(Frame {
            opcode,
            is_final: first & FINAL != 0,
            mask,
            length,
            left: length,
        });
        Ok(())
    }

    /// Takes a part of the payload; `offset` is its place in the mask.
    fn take(&mut self, bytes: &[u8], offset: usize) -> Result<(), ReadError> {
        let Some(frame) = &self.frame else { return Ok(()) };
        let is_end = frame.is_final && frame.left == 0;
        let mut mask = frame.mask;
        mask.rotate_left(offset);
        if frame.opcode.is_control() {
            let start = self.control.len();
            self.control.extend_from_slice(bytes);
            unmask(self.control.get_mut(start..).unwrap_or_default(), mask);
            return Ok(());
        }
        match &mut self.message {
            Some(message) => message
                .push(bytes, mask, frame.left, is_end)
                .map_err(|()| ReadError::Utf8),
            None => Ok(()),
        }
    }

    /// What a complete frame amounts to.
    fn complete(&mut self, frame: &Frame) -> Result<Input, ReadError> {
        match frame.opcode {
            Opcode::Ping => Ok(Input::Ping(std::mem::take(&mut self.control))),
            Opcode::Close => Ok(Input::Close(std::mem::take(&mut self.control))),
            Opcode::Pong => {
                self.control = Vec::new();
                Ok(Input::Pong)
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                match self.message.take_if(|_| frame.is_final) {
                    Some(message) => message.complete().map_err(|()| ReadError::Utf8),
                    None => Ok(Input::Fragment(frame.length)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
