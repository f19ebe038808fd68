//! The population of rooms, checked.

use super::{
    load::stages,
    problems::{MAX_BYTES, MAX_CONNECTIONS, Problems, require},
};
use crate::scenario::{DriverKind, Scenario};

/// Rooms of one run.
const MAX_ROOMS: usize = 100_000;

/// Peers of one run that send to rooms. The oracle keeps notes for each of them and each room.
const MAX_SPEAKERS: usize = 1_000;

pub(super) fn check(scenario: &Scenario, problems: &mut Problems) {
    let Some(rooms) = &scenario.rooms else { return };
    stages("rooms", &rooms.stages, problems);
    problems.within("rooms.peers", rooms.peers, 1, MAX_CONNECTIONS);
    problems.within("rooms.rooms", rooms.rooms, 1, MAX_ROOMS);
    problems.within("rooms.payload_bytes", rooms.payload_bytes, 1, MAX_BYTES);
    problems.time_above_zero("rooms.complete_within", rooms.complete_within);
    if !rooms.messages.is_empty() {
        stages("rooms.messages", &rooms.messages, problems);
        let most = rooms.peers.min(MAX_SPEAKERS);
        problems.within("rooms.speakers", rooms.speakers, 1, most);
    }
    let driver = scenario.target.driver;
    require!(
        problems, driver == DriverKind::Switchboard => "rooms.peers",
        "servers of other kinds have no such rooms; say target.driver = \"switchboard\""
    );
    let generator = &scenario.generator;
    require!(
        problems, generator.workers <= 1 && generator.agents.is_empty() => "rooms.peers",
        "who is in a room is compared inside of one process; leave generator.workers and generator.agents out"
    );
}
