//! The messages that wait for one peer that is not connected, oldest first, bounded in number and bytes.

use std::{collections::VecDeque, time::Instant};

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
    /// Each with its end.
    messages: VecDeque<(Bytes, Instant)>,
    /// The end of all; `None` while it is empty.
    until: Option<Instant>,
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

    /// Adds a message that waits until `until`.
    pub(crate) fn push(&mut self, from: &PeerKey, envelope: Bytes, until: Instant) {
        let share = self.shares.entry(from.clone()).or_default();
        *share = (share.0 + 1, share.1 + envelope.len());
        self.bytes += envelope.len();
        self.until = Some(self.until.map_or(until, |end| end.max(until)));
        self.messages.push_back((envelope, until));
    }

    /// Removes the oldest `messages`, `bytes` in all.
    pub(crate) fn remove_oldest(&mut self, messages: usize, bytes: usize) {
        self.messages.drain(..messages.min(self.messages.len()));
        self.bytes = self.bytes.saturating_sub(bytes);
        if self.messages.is_empty() {
            self.shares = HashMap::new();
            self.until = None;
        }
    }

    /// The peer was claimed: all messages wait for it until `until`, and senders' shares begin anew.
    pub(crate) fn claimed(&mut self, until: Instant) {
        self.shares = HashMap::new();
        self.messages.iter_mut().for_each(|(_, end)| *end = until);
        self.end(until);
    }

    /// All messages end at `until`, at the latest.
    pub(crate) fn end(&mut self, until: Instant) {
        self.until = (!self.messages.is_empty()).then_some(until);
    }

    /// Whether a message may still wait at `now`.
    pub(crate) fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// A copy of the messages whose end has not come; they share their bytes. The others are removed.
    pub(crate) fn read(&mut self, now: Instant) -> Vec<Bytes> {
        if !self.lasts(now) {
            *self = Self::default();
        }
        self.messages.retain(|(envelope, until)| {
            let lasts = *until > now;
            if !lasts {
                self.bytes -= envelope.len();
            }
            lasts
        });
        self.messages
            .iter()
            .map(|(envelope, _)| envelope.clone())
            .collect()
    }
}
