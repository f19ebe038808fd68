//! Which tenants and rooms of this node are the largest, for operators. Computed when somebody asks: it visits every session
//! and every room. Not the quotas (`limits`).

use hashbrown::HashMap;

use crate::router::Router;

/// A tenant with connections on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeTenant {
    /// Its name.
    pub tenant: String,
    /// Its sessions that are connected to this node.
    pub sessions: usize,
}

/// A room with members on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeRoom {
    /// The tenant.
    pub tenant: String,
    /// The room.
    pub room: String,
    /// Its members, on all nodes.
    pub members: usize,
    /// Those that are connected to this node.
    pub members_here: usize,
}

impl Router {
    /// At most `most` tenants, the largest first.
    #[must_use]
    pub fn largest_tenants(&self, most: usize) -> Vec<LargeTenant> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for session in self.context().registry.all() {
            *counts.entry_ref(session.key().tenant()).or_default() += 1;
        }
        let tenants = counts.into_iter();
        let mut tenants: Vec<_> = tenants
            .map(|(tenant, sessions)| LargeTenant { tenant, sessions })
            .collect();
        tenants.sort_unstable_by(|one, other| {
            let by_size = other.sessions.cmp(&one.sessions);
            by_size.then_with(|| one.tenant.cmp(&other.tenant))
        });
        tenants.truncate(most);
        tenants
    }

    /// At most `most` rooms, the largest first.
    #[must_use]
    pub fn largest_rooms(&self, most: usize) -> Vec<LargeRoom> {
        let mut rooms: Vec<_> = self.room_side().sizes().collect();
        rooms.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        rooms.truncate(most);
        let rooms = rooms.into_iter().map(|(key, members, members_here)| LargeRoom {
            tenant: key.tenant().to_owned(),
            room: key.room().to_owned(),
            members,
            members_here,
        });
        rooms.collect()
    }
}
