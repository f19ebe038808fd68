//! Which peers this node should hear, which it does hear, and which it has claimed: a state machine per
//! peer without IO or clock. Not the connection (`connection`) nor the claims themselves (`reclaim`).
//!
//! At most one SUBSCRIBE or UNSUBSCRIBE per channel is under way at a time; when its confirmation comes and
//! the wish has changed meanwhile, the next one follows. So the order of wishes cannot be lost, and a
//! confirmation always belongs to the one command that is under way.

use std::collections::VecDeque;

use hashbrown::HashMap;
use switchboard_protocol::{PeerKey, ResumeToken, Secret, SessionId};
use tokio::sync::oneshot;

/// The table. One per node; about 120 bytes per peer beside the shared key.
#[derive(Debug, Default)]
pub(crate) struct Desired {
    peers: HashMap<PeerKey, Entry>,
    /// Peers whose subscription has to change; each at most once. Empty while there is no connection.
    dirty: VecDeque<PeerKey>,
    counts: Counts,
    /// Grows whenever the shared records may have been lost; entries claimed in an older one are re-claimed.
    epoch: u32,
    is_connected: bool,
    is_held: bool,
    /// Commands whose confirmation has not come.
    outstanding: usize,
    /// Confirmations ever received.
    confirmations: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    desired: usize,
    confirmed: usize,
    /// Wanted, not claimed in this epoch, and no `attach` is at it.
    unclaimed: usize,
    /// To be resubscribed after a rebuild of the connection.
    backlog: usize,
}

#[derive(Debug)]
struct Entry {
    token: ResumeToken,
    subscription: Subscription,
    is_wanted: bool,
    is_dirty: bool,
    is_attaching: bool,
    is_backlog: bool,
    claimed_in: u32,
    fence: u64,
    waiter: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscription {
    Off,
    Subscribing,
    On,
    Unsubscribing,
}

/// What to send for one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Subscribe,
    Unsubscribe,
}

/// The answer to [`Desired::want`].
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Resolves when the subscription is confirmed, and fails when the connection is lost or another session
    /// takes the peer; `None` if it is confirmed already.
    pub(crate) confirmation: Option<oneshot::Receiver<()>>,
    /// The session of this node that held the peer until now.
    pub(crate) displaced: Option<SessionId>,
}

/// A peer held here, as the shared record should say.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) key: PeerKey,
    pub(crate) session: SessionId,
    /// 0: never claimed, or any.
    pub(crate) fence: u64,
    secret: [u8; ResumeToken::SECRET_BYTES],
}

impl std::fmt::Debug for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.key, self.session, self.fence)
    }
}

impl Holding {
    /// A session to be claimed.
    pub(crate) fn to_claim(key: PeerKey, token: ResumeToken, fence: u64) -> Self {
        Self {
            key,
            session: token.session,
            fence,
            secret: token.secret_bytes(),
        }
    }

    /// A session to be let go, for which the secret does not matter.
    pub(crate) fn to_let_go(key: PeerKey, session: SessionId, fence: u64) -> Self {
        let secret = [0; ResumeToken::SECRET_BYTES];
        Self {
            key,
            session,
            fence,
            secret,
        }
    }

    /// The secret's text.
    pub(crate) fn secret(&self) -> Secret {
        ResumeToken::new(self.session, self.secret).secret()
    }
}

impl Entry {
    fn counts(&self, epoch: u32) -> Counts {
        let is_on = self.subscription == Subscription::On;
        Counts {
            desired: usize::from(self.is_wanted),
            confirmed: usize::from(self.is_wanted && is_on),
            unclaimed: usize::from(self.is_wanted && !self.is_attaching && self.claimed_in != epoch),
            backlog: usize::from(self.is_wanted && self.is_backlog),
        }
    }

    fn change(&self) -> Option<Change> {
        match (self.is_wanted, self.subscription) {
            (true, Subscription::Off) => Some(Change::Subscribe),
            (false, Subscription::On) => Some(Change::Unsubscribe),
            (true, Subscription::Subscribing | Subscription::On | Subscription::Unsubscribing)
            | (false, Subscription::Off | Subscription::Subscribing | Subscription::Unsubscribing) => None,
        }
    }
}

impl Desired {
    /// `token`'s session takes `key`; an attach is under way until [`Desired::claimed`] or [`Desired::leave`].
    pub(crate) fn want(&mut self, key: &PeerKey, token: ResumeToken) -> Wanted {
        self.peers.entry(key.clone()).or_insert(Entry {
            token,
            subscription: Subscription::Off,
            is_wanted: false,
            is_dirty: false,
            is_attaching: false,
            is_backlog: false,
            claimed_in: 0,
            fence: 0,
            waiter: None,
        });
        let (sender, receiver) = oneshot::channel();
        let wanted = self.update(key.as_str(), |entry| {
            let displaced = entry.is_wanted.then_some(entry.token.session);
            entry.token = token;
            entry.is_wanted = true;
            entry.is_attaching = true;
            entry.claimed_in = 0;
            entry.fence = 0;
            let is_on = entry.subscription == Subscription::On;
            entry.waiter = (!is_on).then_some(sender);
            Wanted {
                confirmation: (!is_on).then_some(receiver),
                displaced,
            }
        });
        wanted.unwrap_or(Wanted {
            confirmation: None,
            displaced: None,
        })
    }

    /// `session` gives `key` up; its fence if it was the holder.
    pub(crate) fn unwant(&mut self, key: &PeerKey, session: SessionId) -> Option<u64> {
        if !self.holds(key, session) {
            return None;
        }
        self.update(key.as_str(), |entry| {
            entry.is_wanted = false;
            entry.waiter = None;
            entry.fence
        })
    }

    /// The same, unless a newer claim of the very session stands: `fence` is the caller's, 0 for any.
    pub(crate) fn unwant_claimed(&mut self, key: &PeerKey, session: SessionId, fence: u64) -> Option<u64> {
        let held = self.peers.get(key)?;
        if fence != 0 && held.fence != 0 && held.fence != fence {
            return None;
        }
        self.unwant(key, session)
    }

    /// Whether `session` is the one that should have `key`.
    pub(crate) fn holds(&self, key: &PeerKey, session: SessionId) -> bool {
        self.peers
            .get(key)
            .is_some_and(|entry| entry.is_wanted && entry.token.session == session)
    }

    /// The record says `session` holds `key` since `epoch`; false if it does not want it any more.
    pub(crate) fn claimed(&mut self, key: &PeerKey, session: SessionId, fence: u64, epoch: u32) -> bool {
        self.holds(key, session)
            && self
                .update(key.as_str(), |entry| {
                    entry.fence = fence;
                    entry.claimed_in = epoch;
                    entry.is_attaching = false;
                })
                .is_some()
    }

    /// The record says again what it should, with the fence known here; false if the session is given up.
    pub(crate) fn reasserted(&mut self, key: &PeerKey, session: SessionId, epoch: u32) -> bool {
        self.holds(key, session)
            && self
                .update(key.as_str(), |entry| entry.claimed_in = epoch)
                .is_some()
    }

    /// The attach of `session` ends without a claim, which is left to the background; false if another
    /// session has taken the peer.
    pub(crate) fn leave(&mut self, key: &PeerKey, session: SessionId) -> bool {
        self.holds(key, session)
            && self
                .update(key.as_str(), |entry| {
                    entry.is_attaching = false;
                    entry.waiter = None;
                })
                .is_some()
    }

    /// Others may have taken peers of this node: nothing is subscribed until every claim was checked.
    pub(crate) fn hold(&mut self) {
        self.is_held = true;
        self.next_epoch();
    }

    /// A new connection is ready: nothing is subscribed on it yet.
    pub(crate) fn begin(&mut self) {
        self.forget_subscriptions();
        self.is_connected = true;
        for (key, entry) in &mut self.peers {
            entry.is_dirty = true;
            entry.is_backlog = true;
            self.dirty.push_back(key.clone());
        }
        self.counts.backlog = self.counts.desired;
    }

    /// The connection is gone. Those who wait for a confirmation are told.
    pub(crate) fn lost(&mut self) {
        self.forget_subscriptions();
        self.is_connected = false;
    }

    fn forget_subscriptions(&mut self) {
        self.dirty = VecDeque::new();
        self.outstanding = 0;
        self.peers.retain(|_, entry| {
            entry.subscription = Subscription::Off;
            entry.is_dirty = false;
            entry.is_backlog = false;
            entry.waiter = None;
            entry.is_wanted
        });
        self.counts.confirmed = 0;
        self.counts.backlog = 0;
    }

    /// Up to `most` channels whose subscription has to change now.
    pub(crate) fn take_changes(&mut self, most: usize) -> Vec<(PeerKey, Change)> {
        let mut changes = Vec::new();
        if self.is_held {
            return changes;
        }
        while changes.len() < most {
            let Some(key) = self.dirty.pop_front() else { break };
            let change = self.update(key.as_str(), |entry| {
                entry.is_dirty = false;
                let change = entry.change()?;
                entry.subscription = match change {
                    Change::Subscribe => Subscription::Subscribing,
                    Change::Unsubscribe => Subscription::Unsubscribing,
                };
                Some(change)
            });
            changes.extend(change.flatten().map(|change| (key, change)));
        }
        self.outstanding += changes.len();
        changes
    }

    /// Redis confirmed a subscription. True when its claim is left to the background.
    pub(crate) fn subscribed(&mut self, key: &str) -> bool {
        self.confirmations += 1;
        self.outstanding = self.outstanding.saturating_sub(1);
        let epoch = self.epoch;
        self.update(key, |entry| {
            entry.subscription = Subscription::On;
            entry.is_backlog = false;
            if let Some(waiter) = entry.waiter.take() {
                // Whoever gave up waiting has called `leave`, or will.
                let _ = waiter.send(());
            }
            entry.counts(epoch).unclaimed > 0
        })
        .unwrap_or(false)
    }

    /// Redis ended a subscription, asked for or not.
    pub(crate) fn unsubscribed(&mut self, key: &str) {
        self.confirmations += 1;
        let was_asked = self.update(key, |entry| {
            let was_asked = entry.subscription == Subscription::Unsubscribing;
            entry.subscription = Subscription::Off;
            was_asked
        });
        if was_asked == Some(true) {
            self.outstanding = self.outstanding.saturating_sub(1);
        }
    }

    /// The shared records may have been lost: everything is to be claimed again.
    pub(crate) fn next_epoch(&mut self) {
        self.epoch += 1;
        self.counts.unclaimed = self
            .peers
            .values()
            .map(|entry| entry.counts(self.epoch).unclaimed)
            .sum();
    }

    /// The current epoch.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What to claim now: with a hold everything, else what is subscribed.
    pub(crate) fn to_claim(&self) -> Vec<Holding> {
        self.holdings(|entry| {
            entry.counts(self.epoch).unclaimed > 0 && (self.is_held || entry.subscription == Subscription::On)
        })
    }

    /// Everything that was ever claimed and is still held.
    pub(crate) fn claims(&self) -> Vec<Holding> {
        self.holdings(|entry| entry.is_wanted && entry.fence > 0)
    }

    fn holdings(&self, filter: impl Fn(&Entry) -> bool) -> Vec<Holding> {
        let held = self.peers.iter().filter(|(_, entry)| filter(entry));
        held.map(|(key, entry)| Holding::to_claim(key.clone(), entry.token, entry.fence))
            .collect()
    }

    /// Lets subscriptions go out again.
    pub(crate) fn release_hold(&mut self) {
        self.is_held = false;
    }

    /// Whether subscriptions wait for claims to be checked.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether everything that is wanted is subscribed and claimed again after the last rebuild.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_connected && !self.is_held && self.counts.backlog == 0 && self.counts.unclaimed == 0
    }

    /// How many are not claimed in this epoch.
    pub(crate) fn unclaimed(&self) -> usize {
        self.counts.unclaimed
    }

    /// Whether a change waits to be sent.
    pub(crate) fn has_changes(&self) -> bool {
        !self.is_held && !self.dirty.is_empty()
    }

    /// Commands whose confirmation has not come.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Confirmations ever received: whether it grows tells a slow Redis from a broken connection.
    pub(crate) fn confirmations(&self) -> u64 {
        self.confirmations
    }

    /// Channels wanted, and channels of them that are confirmed.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.counts.desired, self.counts.confirmed)
    }

    /// Changes one entry and keeps the counts, the list of changes and the table's size in step with it.
    fn update<R>(&mut self, key: &str, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let (key, entry) = self.peers.get_key_value_mut(key)?;
        let before = entry.counts(self.epoch);
        let result = change(entry);
        let after = entry.counts(self.epoch);
        let counts = &mut self.counts;
        counts.desired = counts.desired + after.desired - before.desired;
        counts.confirmed = counts.confirmed + after.confirmed - before.confirmed;
        counts.unclaimed = counts.unclaimed + after.unclaimed - before.unclaimed;
        counts.backlog = counts.backlog + after.backlog - before.backlog;
        if self.is_connected && !entry.is_dirty && entry.change().is_some() {
            entry.is_dirty = true;
            self.dirty.push_back(key.clone());
        }
        if !entry.is_wanted && entry.subscription == Subscription::Off {
            let key = key.clone();
            self.peers.remove(&key);
            if self.peers.len() < self.peers.capacity() / 4 {
                self.peers.shrink_to(self.peers.len() * 2);
            }
        }
        Some(result)
    }
}

#[cfg(test)]
#[path = "desired_tests.rs"]
mod tests;
