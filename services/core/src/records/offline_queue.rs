//! The messages that wait for one peer that is not connected, oldest first, bounded in number and bytes.

use std::collections::VecDeque;

use bytes::Bytes;
use hashbrown::HashMap;
use switchboard_protocol::PeerKey;

/// Messages in one offline queue, at most.
pub const OFFLINE_QUEUE_MESSAGES: usize = 256;

/// Bytes of envelopes in one offline queue, at most; a single message of any size always fits.
pub const OFFLINE_QUEUE_BYTES: usize = 1024 * 1024;

/// Of those messages, the share of one sender's peer: nobody fills the queue alone.
pub const OFFLINE_QUEUE_MESSAGES_PER_SENDER: usize = OFFLINE_QUEUE_MESSAGES / 4;

/// Of those bytes, the share of one sender's peer; its first message may be larger.
pub const OFFLINE_QUEUE_BYTES_PER_SENDER: usize = OFFLINE_QUEUE_BYTES / 4;

#[derive(Debug, Default)]
pub(crate) struct OfflineQueue {
    messages: VecDeque<Bytes>,
    bytes: usize,
    /// Messages and bytes that each peer has stored since the last claim, or since the queue was empty.
    shares: HashMap<PeerKey, (usize, usize)>,
}

impl OfflineQueue {
    /// Whether `bytes` more of `from` fit.
    pub(crate) fn has_room(&self, from: &PeerKey, bytes: usize) -> bool {
        let (messages, held) = self.shares.get(from).copied().unwrap_or_default();
        let fits = self.messages.is_empty()
            || (self.messages.len() < OFFLINE_QUEUE_MESSAGES && self.bytes + bytes <= OFFLINE_QUEUE_BYTES);
        let has_share = messages == 0
            || (messages < OFFLINE_QUEUE_MESSAGES_PER_SENDER
                && held + bytes <= OFFLINE_QUEUE_BYTES_PER_SENDER);
        fits && has_share
    }

    pub(crate) fn push(&mut self, from: &PeerKey, envelope: Bytes) {
        let share = self.shares.entry(from.clone()).or_default();
        *share = (share.0 + 1, share.1 + envelope.len());
        self.bytes += envelope.len();
        self.messages.push_back(envelope);
    }

    /// Removes the oldest `messages`, `bytes` in all.
    pub(crate) fn remove_oldest(&mut self, messages: usize, bytes: usize) {
        self.messages.drain(..messages.min(self.messages.len()));
        self.bytes = self.bytes.saturating_sub(bytes);
        if self.messages.is_empty() {
            self.shares = HashMap::new();
        }
    }

    /// The peer was claimed: senders' shares begin anew.
    pub(crate) fn begin_shares(&mut self) {
        self.shares = HashMap::new();
    }

    /// A copy of all messages; they share their bytes.
    pub(crate) fn read(&self) -> Vec<Bytes> {
        self.messages.iter().cloned().collect()
    }
}
