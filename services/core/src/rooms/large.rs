//! When a room is large: its members hear how many they are, and not who. A room becomes small again only when it is
//! clearly below the bound, so one member that comes and goes does not make it change.

use super::room::RoomState;
use crate::limits::Limits;

impl RoomState {
    /// Decides anew whether the room is large. Members of a room that has become small need its roster.
    pub(super) fn update_size(&mut self, limits: &Limits) {
        let (members, most) = (self.roster.len(), limits.roster_members);
        if !self.is_large && members > most {
            self.is_large = true;
            self.last_count = 0;
        } else if self.is_large && members <= most - most / 10 {
            self.is_large = false;
            self.has_behind = true;
            self.local
                .values_mut()
                .for_each(|local| local.needs_roster = true);
        }
    }

    /// The number of members, if those of a large room do not know it.
    pub(super) fn count_to_tell(&self) -> Option<usize> {
        let members = self.roster.len();
        (self.is_large && members != self.last_count).then_some(members)
    }
}
