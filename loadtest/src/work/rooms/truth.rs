//! The truth about all rooms of a run: who wants to be in them, and which messages were sent to them. All peers of the run share
//! it. Not here: what one peer sees of it (`member`, `hearing`).

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Sends of one speaker to one room whose times are kept. An arrival of an older one is counted and not timed.
const MAX_TIMES: usize = 1024;

/// Rooms of a run.
#[derive(Debug)]
pub(super) struct Truth {
    rooms: Vec<RoomTruth>,
}

/// One room.
#[derive(Debug)]
pub(super) struct RoomTruth {
    /// Its name on the servers.
    pub(super) name: String,
    /// The peers that are in it, or have asked to be.
    pub(super) members: Mutex<BTreeSet<String>>,
    /// What each speaker sent to it.
    pub(super) spoken: Vec<Mutex<Spoken>>,
}

/// What one speaker sent to one room. Messages count up from 1.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    /// The number of the last one.
    pub(super) last: u64,
    /// Those that no member may expect: they failed.
    pub(super) failed: BTreeSet<u64>,
    /// When the last ones were sent, and how late.
    times: VecDeque<(Instant, Duration)>,
}

impl Truth {
    pub(super) fn new(tag: &str, rooms: usize, speakers: usize) -> Self {
        let room = |number| RoomTruth {
            name: format!("{tag}-room{number}"),
            members: Mutex::default(),
            spoken: (0..speakers).map(|_| Mutex::default()).collect(),
        };
        Self {
            rooms: (0..rooms).map(room).collect(),
        }
    }

    pub(super) fn room(&self, number: usize) -> &RoomTruth {
        // Every number comes from `number_of` or from the schedule, which draws from these rooms.
        &self.rooms[number]
    }

    pub(super) fn count(&self) -> usize {
        self.rooms.len()
    }

    /// The number of the room with this name.
    pub(super) fn number_of(&self, name: &str) -> Option<usize> {
        let (_, number) = name.rsplit_once("-room")?;
        let number: usize = number.parse().ok()?;
        self.rooms
            .get(number)
            .is_some_and(|room| room.name == name)
            .then_some(number)
    }
}

impl Spoken {
    /// A message was sent at `at`, `late` after the moment it was planned for. Returns its number.
    pub(super) fn sent(&mut self, at: Instant, late: Duration) -> u64 {
        self.last += 1;
        if self.times.len() >= MAX_TIMES {
            self.times.pop_front();
        }
        self.times.push_back((at, late));
        self.last
    }

    /// When message `number` was sent, and how late.
    pub(super) fn time_of(&self, number: u64) -> Option<(Instant, Duration)> {
        let back = usize::try_from(self.last.checked_sub(number)?).ok()?;
        let index = self.times.len().checked_sub(back + 1)?;
        self.times.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_found_by_their_names() {
        let truth = Truth::new("t-room1", 3, 0);
        for number in 0..truth.count() {
            assert_eq!(truth.number_of(&truth.room(number).name), Some(number));
        }
        for other in ["", "t-room1", "t-room1-room3", "u-room1-room1"] {
            assert_eq!(truth.number_of(other), None, "{other}");
        }
    }

    #[test]
    fn the_times_of_the_last_sends_are_kept() {
        let mut spoken = Spoken::default();
        let start = Instant::now();
        for number in 1..=2_000_u64 {
            assert_eq!(spoken.sent(start, Duration::from_millis(number)), number);
        }
        let late = |number| spoken.time_of(number).map(|(_, late)| late.as_millis());
        assert_eq!((late(2_000), late(1_000)), (Some(2_000), Some(1_000)));
        assert_eq!((late(1), late(2_001)), (None, None));
    }
}
