//! One message of a client while its frames arrive: its bytes without their mask, or only its beginning once it is over
//! the limit. Not the frames (`reader`).

use bytes::Bytes;

use super::{input::Input, mask::unmask};

/// Whether a message may go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MessageProgress {
    Fits,
    TooLarge,
}

/// One message, not complete yet.
#[derive(Debug)]
pub(super) struct Message {
    is_text: bool,
    bytes: Vec<u8>,
    /// Bytes of the frames so far, as announced.
    announced: u64,
    /// How many bytes are kept. Less than announced: the message is skipped.
    kept: usize,
    /// Up to here a text is known to be UTF-8.
    valid: usize,
}

impl Message {
    pub(super) const fn new(is_text: bool) -> Self {
        Self {
            is_text,
            bytes: Vec::new(),
            announced: 0,
            kept: usize::MAX,
            valid: 0,
        }
    }

    /// The header of a frame with `length` bytes came. A text over `most` bytes is skipped but for its first `head` bytes; over
    /// `most_skipped` bytes it is too large.
    pub(super) fn announce(
        &mut self,
        length: u64,
        most: u64,
        most_skipped: u64,
        head: usize,
    ) -> MessageProgress {
        self.announced = self.announced.saturating_add(length);
        if self.announced <= most {
            return MessageProgress::Fits;
        }
        if !self.is_text || self.announced > most_skipped {
            return MessageProgress::TooLarge;
        }
        self.kept = head;
        self.bytes.truncate(head);
        self.bytes.shrink_to_fit();
        MessageProgress::Fits
    }

    /// Takes a part of a frame's payload; `left` bytes of the frame are still to come. The error: it is not UTF-8.
    pub(super) fn push(&mut self, bytes: &[u8], mask: [u8; 4], left: u64, is_end: bool) -> Result<(), ()> {
        let room = self.kept.saturating_sub(self.bytes.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let start = self.bytes.len();
        if start == 0 && left == 0 {
            // Mostly a message comes at once; its buffer then has exactly its size.
            self.bytes.reserve_exact(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        unmask(self.bytes.get_mut(start..).unwrap_or_default(), mask);
        // At the end all of it is checked, once.
        if self.is_text && !is_end && !self.is_skipped() {
            return self.check_utf8();
        }
        Ok(())
    }

    const fn is_skipped(&self) -> bool {
        self.kept != usize::MAX
    }

    /// Checks what came since the last check; a character at the end may still be incomplete.
    fn check_utf8(&mut self) -> Result<(), ()> {
        match std::str::from_utf8(self.bytes.get(self.valid..).unwrap_or_default()) {
            Ok(text) => self.valid += text.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(()),
        }
        Ok(())
    }

    /// The whole message. The error: it is not UTF-8.
    pub(super) fn complete(mut self) -> Result<Input, ()> {
        if self.is_skipped() {
            return Ok(Input::Oversized(self.bytes));
        }
        // A payload is a slice of this buffer and may be kept for long.
        self.bytes.shrink_to_fit();
        if !self.is_text {
            return Ok(Input::Binary(Bytes::from(self.bytes)));
        }
        String::from_utf8(self.bytes).map(Input::Text).map_err(|_| ())
    }
}
