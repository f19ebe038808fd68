//! The channels that this node should receive, with a count of their users, and those that it does receive: a
//! state machine per channel without IO or clock. It knows nothing of claims: a room has a
//! subscription without one. Not the connection (`subscriber`).
//!
//! At most one SUBSCRIBE or UNSUBSCRIBE per channel is in flight. If the channel's users have come or gone when
//! its confirmation arrives, the next command follows. So a confirmation always belongs to the one command in
//! flight.

use std::collections::VecDeque;

use hashbrown::HashMap;
use tokio::sync::oneshot;

use super::channel::{Channel, ChannelRef};
use crate::{keys::CLUSTER_PARTITION, partition::Partition};

/// The table. One per shard; 32 bytes per channel plus the shared name.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionTable {
    channels: HashMap<Channel, Entry>,
    /// Who waits for a confirmation; bounded by the attaches in progress.
    waiters: HashMap<Channel, Vec<oneshot::Sender<()>>>,
    /// Channels whose subscription has to change; each at most once. Empty while there is no connection.
    changed: VecDeque<Channel>,
    /// Channels that the server refused, because their slot is on another one: they wait for the map.
    deferred: Vec<Channel>,
    counts: Counts,
    is_connected: bool,
    is_paused: bool,
    /// Commands whose confirmation has not come.
    in_flight: usize,
    /// Confirmations ever received.
    confirmations: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    desired: usize,
    confirmed: usize,
    /// Desired, and not confirmed since the connection was rebuilt.
    backlog: usize,
}

#[derive(Debug, Default)]
struct Entry {
    users: u32,
    state: State,
    is_changed: bool,
    is_backlog: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Off,
    Subscribing,
    On,
    Unsubscribing,
}

/// The command to send for one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Subscribe,
    Unsubscribe,
}

/// A channel on its way from one server to another.
#[derive(Debug)]
pub(crate) struct HandedOver {
    channel: Channel,
    users: u32,
    waiters: Vec<oneshot::Sender<()>>,
}

/// Resolves when the subscription is confirmed; fails when the connection is lost or the wait is over.
pub(crate) type Confirmation = oneshot::Receiver<()>;

impl Entry {
    fn is_desired(&self) -> bool {
        self.users > 0
    }

    fn counts(&self, channel: &Channel) -> Counts {
        let counts = self.is_desired() && channel.name().is_counted();
        Counts {
            desired: usize::from(counts),
            confirmed: usize::from(counts && self.state == State::On),
            backlog: usize::from(counts && self.is_backlog),
        }
    }

    fn change(&self) -> Option<Change> {
        match (self.is_desired(), self.state) {
            (true, State::Off) => Some(Change::Subscribe),
            (false, State::On) => Some(Change::Unsubscribe),
            (true, State::Subscribing | State::On | State::Unsubscribing)
            | (false, State::Off | State::Subscribing | State::Unsubscribing) => None,
        }
    }
}

impl SubscriptionTable {
    /// `channel` has one more user. `None` if it is confirmed already.
    pub(crate) fn add_user(&mut self, channel: &Channel) -> Option<Confirmation> {
        self.count_user(channel);
        self.wait(channel)
    }

    /// The same, without a wait.
    pub(crate) fn count_user(&mut self, channel: &Channel) {
        self.channels.entry(channel.clone()).or_default();
        self.update(channel.name(), |entry| {
            entry.users = entry.users.saturating_add(1)
        });
    }

    /// `channel` has one user less.
    pub(crate) fn remove_user(&mut self, channel: ChannelRef<'_>) {
        let users = self.update(channel, |entry| {
            entry.users = entry.users.saturating_sub(1);
            entry.users
        });
        if users == Some(0) {
            self.stop_waiting(channel);
        }
    }

    /// Waits for the confirmation of a channel that has a user. `None` if it is confirmed already.
    pub(crate) fn wait(&mut self, channel: &Channel) -> Option<Confirmation> {
        if self.is_confirmed(channel.name()) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiters.entry(channel.clone()).or_default().push(sender);
        Some(receiver)
    }

    /// Ends every wait for the confirmation of `channel`.
    pub(crate) fn stop_waiting(&mut self, channel: ChannelRef<'_>) {
        self.waiters.remove(&channel);
    }

    /// Whether Redis has confirmed the subscription.
    pub(crate) fn is_confirmed(&self, channel: ChannelRef<'_>) -> bool {
        let entry = self.channels.get(&channel);
        entry.is_some_and(|entry| entry.state == State::On)
    }

    /// A new connection is ready: nothing is subscribed on it yet.
    pub(crate) fn begin(&mut self) {
        self.forget_connection();
        self.is_connected = true;
        for (channel, entry) in &mut self.channels {
            entry.is_changed = true;
            entry.is_backlog = true;
            self.changed.push_back(channel.clone());
        }
        self.counts.backlog = self.counts.desired;
    }

    /// The connection is gone. Those who wait for a confirmation learn it.
    pub(crate) fn lost(&mut self) {
        self.forget_connection();
        self.waiters = HashMap::new();
        self.is_connected = false;
    }

    fn forget_connection(&mut self) {
        self.changed = VecDeque::new();
        self.deferred = Vec::new();
        self.in_flight = 0;
        self.channels.retain(|_, entry| {
            entry.state = State::Off;
            entry.is_changed = false;
            entry.is_backlog = false;
            entry.is_desired()
        });
        self.counts.confirmed = 0;
        self.counts.backlog = 0;
    }

    /// Up to `limit` channels whose subscription has to change now.
    pub(crate) fn take_changes(&mut self, limit: usize) -> Vec<(Channel, Change)> {
        let mut changes = Vec::new();
        if self.is_paused {
            return changes;
        }
        while changes.len() < limit {
            let Some(channel) = self.changed.pop_front() else {
                break;
            };
            let change = self.update(channel.name(), |entry| {
                entry.is_changed = false;
                let change = entry.change()?;
                entry.state = match change {
                    Change::Subscribe => State::Subscribing,
                    Change::Unsubscribe => State::Unsubscribing,
                };
                Some(change)
            });
            changes.extend(change.flatten().map(|change| (channel, change)));
        }
        self.in_flight += changes.len();
        changes
    }

    /// Redis confirmed a subscription.
    pub(crate) fn subscribed(&mut self, channel: ChannelRef<'_>) {
        self.confirmations += 1;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.update(channel, |entry| {
            entry.state = State::On;
            entry.is_backlog = false;
        });
        for waiter in self.waiters.remove(&channel).into_iter().flatten() {
            // An error means that the waiter has given up.
            let _ = waiter.send(());
        }
    }

    /// Redis ended a subscription; whether it was asked to.
    pub(crate) fn unsubscribed(&mut self, channel: ChannelRef<'_>) -> bool {
        self.confirmations += 1;
        let was_asked = self.update(channel, |entry| {
            let was_asked = entry.state == State::Unsubscribing;
            entry.state = State::Off;
            was_asked
        });
        if was_asked == Some(true) {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        // Of a channel that is not known any more, it was.
        was_asked != Some(false)
    }

    /// Gives the users of the channels up that `moves`: this server no longer has their partition. Each channel with its
    /// users and those who wait for its confirmation.
    pub(crate) fn hand_over(&mut self, moves: impl Fn(&Channel) -> bool) -> Vec<HandedOver> {
        let desired = self.channels.iter().filter(|(_, entry)| entry.is_desired());
        let moved: Vec<Channel> = desired
            .map(|(channel, _)| channel)
            .filter(|channel| moves(channel))
            .cloned()
            .collect();
        let moved = moved.into_iter().map(|channel| HandedOver {
            waiters: self.waiters.remove(&channel.name()).unwrap_or_default(),
            users: self
                .update(channel.name(), |entry| std::mem::take(&mut entry.users))
                .unwrap_or_default(),
            channel,
        });
        moved.collect()
    }

    /// Takes channels over that another server had until now.
    pub(crate) fn take_over(&mut self, channels: Vec<HandedOver>) {
        for moved in channels {
            self.channels.entry(moved.channel.clone()).or_default();
            self.update(moved.channel.name(), |entry| {
                entry.users = entry.users.saturating_add(moved.users);
                // Until it is confirmed here, an absent record proves nothing.
                entry.is_backlog |= entry.state != State::On;
            });
            if self.is_confirmed(moved.channel.name()) {
                for waiter in moved.waiters {
                    // An error means that the waiter has given up.
                    let _ = waiter.send(());
                }
            } else if !moved.waiters.is_empty() {
                self.waiters
                    .entry(moved.channel)
                    .or_default()
                    .extend(moved.waiters);
            }
        }
    }

    /// The server refused the subscriptions of a partition that are in flight. They wait for
    /// [`SubscriptionTable::retry_deferred`].
    pub(crate) fn refused(&mut self, partition: Partition) {
        let is_refused = |(channel, entry): &(&Channel, &Entry)| {
            entry.state == State::Subscribing && channel.partition().unwrap_or(CLUSTER_PARTITION) == partition
        };
        let refused = self.channels.iter().filter(is_refused);
        let refused: Vec<Channel> = refused.map(|(channel, _)| channel.clone()).collect();
        self.in_flight = self.in_flight.saturating_sub(refused.len());
        for channel in refused {
            self.update(channel.name(), |entry| {
                entry.state = State::Off;
                entry.is_changed = true;
            });
            self.deferred.push(channel);
        }
    }

    /// Those that were refused are tried again; whether there are any.
    pub(crate) fn retry_deferred(&mut self) -> bool {
        let any = !self.deferred.is_empty();
        self.changed.extend(std::mem::take(&mut self.deferred));
        any
    }

    /// Sends no changes until [`SubscriptionTable::unpause`].
    pub(crate) fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Sends changes again.
    pub(crate) fn unpause(&mut self) {
        self.is_paused = false;
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether everything desired was confirmed after the last rebuild of the connection.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_connected && !self.is_paused && self.counts.backlog == 0
    }

    /// Whether a change is to be sent.
    pub(crate) fn has_changes(&self) -> bool {
        !self.is_paused && !self.changed.is_empty()
    }

    /// Commands whose confirmation has not come.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Confirmations ever received: whether it grows tells a slow Redis from a broken connection.
    pub(crate) fn confirmations(&self) -> u64 {
        self.confirmations
    }

    /// Channels desired, and those of them that are confirmed.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.counts.desired, self.counts.confirmed)
    }

    /// Changes one entry and keeps the counts, the list of changes and the table's size in step with it.
    fn update<R>(&mut self, channel: ChannelRef<'_>, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let (channel, entry) = self.channels.get_key_value_mut(&channel)?;
        let before = entry.counts(channel);
        let result = change(entry);
        let after = entry.counts(channel);
        let counts = &mut self.counts;
        counts.desired = counts.desired + after.desired - before.desired;
        counts.confirmed = counts.confirmed + after.confirmed - before.confirmed;
        counts.backlog = counts.backlog + after.backlog - before.backlog;
        if self.is_connected && !entry.is_changed && entry.change().is_some() {
            entry.is_changed = true;
            self.changed.push_back(channel.clone());
        }
        if !entry.is_desired() && entry.state == State::Off {
            let channel = channel.clone();
            self.channels.remove(&channel);
            if self.channels.len() < self.channels.capacity() / 4 {
                self.channels.shrink_to(self.channels.len() * 2);
            }
        }
        Some(result)
    }
}

#[cfg(test)]
#[path = "subscriptions_tests.rs"]
mod tests;
