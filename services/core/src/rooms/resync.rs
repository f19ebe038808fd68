//! Reading a roster anew, when a change was missed or the room's channel was deaf for a while. The members get the
//! whole roster: messages may have been missed with the changes, and both are said with the same `joined`.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use switchboard_protocol::RoomKey;
use tokio::time::timeout;

use super::{room::Room, side::RoomSide};
use crate::broker::{error::BrokerError, rooms::Roster};

/// Rosters that are read at the same time, at most: after a rebuild of the bus every room is read.
const READS_AT_ONCE: usize = 64;

/// How long the broker has for one of them.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

impl RoomSide {
    /// Changes and messages of a room may have been missed.
    pub(crate) fn on_gap(&self, key: &RoomKey) {
        self.in_known_room(key.as_str(), |room, state| {
            state.roster.mark_outdated();
            state.local.values_mut().for_each(|local| local.has_missed = true);
            state.has_behind = true;
            self.read_again(room, state);
        });
    }

    /// Reads rosters as they are asked for. Never completes.
    pub(super) async fn run_reads(&self) {
        loop {
            self.has_unread.notified().await;
            self.read_unread().await;
        }
    }

    /// Reads the rosters that were asked for until now.
    pub(crate) async fn read_unread(&self) {
        let rooms = std::mem::take(&mut *self.unread.lock());
        for rooms in rooms.chunks(READS_AT_ONCE) {
            join_all(rooms.iter().map(|room| self.read(room))).await;
        }
    }

    async fn read(&self, room: &Arc<Room>) {
        let Ok(broker) = self.cx.broker() else { return };
        let read = timeout(READ_TIMEOUT, broker.roster(&room.key)).await;
        self.on_read(room, read.unwrap_or(Err(BrokerError::Unavailable)));
    }

    /// The broker has read a roster. After a failure the next tick asks again.
    pub(super) fn on_read(&self, room: &Arc<Room>, read: Result<Roster, BrokerError>) {
        let mut state = room.state.lock();
        let state = &mut *state;
        state.is_reading = false;
        if state.is_forgotten {
            return;
        }
        if let Ok(roster) = read {
            self.cx.telemetry.room_resync();
            let version = roster.version;
            let news = state.roster.install(roster);
            self.on_news(room, state, &news);
            let gone: Vec<_> = state
                .local
                .iter()
                .filter(|(id, local)| !state.roster.has(local.session.key().peer(), **id))
                .map(|(id, _)| *id)
                .collect();
            for id in gone {
                self.enter_again(room, state, id);
            }
            tracing::debug!(version, "a roster was read anew");
            for local in state.local.values_mut() {
                local.needs_roster = true;
                local.has_missed = true;
            }
            state.has_behind = !state.local.is_empty();
        }
        // Also for a room whose joins wait for a roster that did not come.
        self.settle(room, state);
        self.mark_due(room, state);
    }
}
