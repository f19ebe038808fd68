//! The messages that wait for one peer that is not connected, oldest first, bounded in number and bytes.

use std::collections::VecDeque;

use bytes::Bytes;

/// Messages in one offline queue, at most.
pub const OFFLINE_QUEUE_MESSAGES: usize = 256;

/// Bytes of envelopes in one offline queue, at most; a single message of any size always fits.
pub const OFFLINE_QUEUE_BYTES: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct OfflineQueue {
    messages: VecDeque<Bytes>,
    bytes: usize,
}

impl OfflineQueue {
    /// Whether `bytes` more fit.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.messages.is_empty()
            || (self.messages.len() < OFFLINE_QUEUE_MESSAGES && self.bytes + bytes <= OFFLINE_QUEUE_BYTES)
    }

    pub(crate) fn push(&mut self, envelope: Bytes) {
        self.bytes += envelope.len();
        self.messages.push_back(envelope);
    }

    /// Removes the oldest `messages`, `bytes` in all.
    pub(crate) fn remove_oldest(&mut self, messages: usize, bytes: usize) {
        self.messages.drain(..messages.min(self.messages.len()));
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// A copy of all messages; they share their bytes.
    pub(crate) fn read(&self) -> Vec<Bytes> {
        self.messages.iter().cloned().collect()
    }
}
