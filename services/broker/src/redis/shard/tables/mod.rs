//! The two tables of a shard, under one lock: the channels to receive and the peers owned. A claim is one user of
//! its peer's channel; these are the steps that change both.

mod channel;
mod claims;
mod subscriptions;

pub(crate) use channel::{Channel, ChannelRef};
pub(crate) use claims::ClaimTable;
pub(crate) use subscriptions::{Change, Confirmation, SubscriptionTable};
use switchboard_protocol::{PeerKey, ResumeToken, SessionId};

use crate::redis::claim::LocalClaim;

/// Both tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) subscriptions: SubscriptionTable,
    pub(crate) claims: ClaimTable,
}

/// The answer to [`Tables::take`].
#[derive(Debug)]
pub(crate) struct Taken {
    /// Resolves when the subscription is confirmed; `None` if it is confirmed already.
    pub(crate) confirmation: Option<Confirmation>,
    /// The session of this node that owned the peer until now.
    pub(crate) displaced: Option<SessionId>,
}

impl Tables {
    /// `token`'s session takes `key`, which is subscribed if it is not yet.
    pub(crate) fn take(&mut self, key: &PeerKey, token: ResumeToken) -> Taken {
        let channel = Channel::Peer(key.clone());
        let displaced = self.claims.take(key, token);
        let confirmation = if displaced.is_some() {
            // The new claim takes the old one's place as a user; an attach of the old one need not wait.
            self.subscriptions.stop_waiting(channel.name());
            self.subscriptions.wait(&channel)
        } else {
            self.subscriptions.add_user(&channel)
        };
        Taken {
            confirmation,
            displaced,
        }
    }

    /// `session` gives `key` up, unless `fence` names another claim of that session (0: any); the claim's fence if
    /// it was the owner.
    pub(crate) fn give_up(&mut self, key: &PeerKey, session: SessionId, fence: u64) -> Option<u64> {
        let fence = self.claims.give_up(key, session, fence)?;
        self.subscriptions.remove_user(ChannelRef::Peer(key.as_str()));
        Some(fence)
    }

    /// The attach of `session` ends without a claim, which is left to the background; false if it is not the owner
    /// any more.
    pub(crate) fn leave_to_background(&mut self, key: &PeerKey, session: SessionId) -> bool {
        let is_owner = self.claims.leave_to_background(key, session);
        if is_owner {
            self.subscriptions.stop_waiting(ChannelRef::Peer(key.as_str()));
        }
        is_owner
    }

    /// Redis confirmed the subscription of a peer (`tenant/peer`). True if its claim is due now.
    pub(crate) fn subscribed(&mut self, peer: &str) -> bool {
        self.subscriptions.subscribed(ChannelRef::Peer(peer));
        self.claims.is_due(peer)
    }

    /// Others may have taken peers of this node: nothing is subscribed until every claim was checked.
    pub(crate) fn pause(&mut self) {
        self.subscriptions.pause();
        self.claims.next_epoch();
    }

    /// The claims to make now: all that are due during a pause, else those with a confirmed subscription.
    pub(crate) fn claims_to_make(&self) -> Vec<LocalClaim> {
        self.claims.list_due(|key| {
            self.subscriptions.is_paused() || self.subscriptions.is_confirmed(ChannelRef::Peer(key.as_str()))
        })
    }

    /// Whether everything is subscribed and claimed again after the last rebuild.
    pub(crate) fn is_complete(&self) -> bool {
        self.subscriptions.is_complete() && self.claims.due() == 0
    }
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
