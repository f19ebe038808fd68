//! The answers of several nodes as one. A node's own answer counts more than what others say of it.

use std::collections::BTreeMap;

use super::{
    report::{NodeStatus, RoomStatus, Status, TenantStatus},
    source::MAX_LARGEST,
};

impl Status {
    /// Adds the answer of one more node. One node may answer at several addresses; its first answer counts.
    pub(crate) fn add(&mut self, other: Self) {
        let has_answered = |name: &str| self.nodes.iter().any(|node| node.asked && node.node == name);
        let answers = other.nodes.iter().find(|node| node.asked);
        if answers.is_some_and(|node| has_answered(&node.node)) {
            return;
        }
        for node in other.nodes {
            self.add_node(node);
        }
        self.nodes.sort_by(|one, other| one.node.cmp(&other.node));
        self.redis.extend(other.redis);
        self.redis
            .sort_by(|one, other| (&one.server, &one.node).cmp(&(&other.server, &other.node)));
        self.add_tenants(other.tenants);
        self.add_rooms(other.rooms);
        self.unreachable.extend(other.unreachable);
    }

    fn add_node(&mut self, node: NodeStatus) {
        match self.nodes.iter_mut().find(|known| known.node == node.node) {
            None => self.nodes.push(node),
            Some(known) if node.asked => *known = node,
            Some(_) => {}
        }
    }

    fn add_tenants(&mut self, more: Vec<TenantStatus>) {
        let mut sums: BTreeMap<String, usize> = BTreeMap::new();
        for tenant in std::mem::take(&mut self.tenants).into_iter().chain(more) {
            *sums.entry(tenant.tenant).or_default() += tenant.sessions;
        }
        let tenants = sums.into_iter();
        self.tenants = tenants
            .map(|(tenant, sessions)| TenantStatus { tenant, sessions })
            .collect();
        self.tenants
            .sort_by_key(|tenant| std::cmp::Reverse(tenant.sessions));
        self.tenants.truncate(MAX_LARGEST);
    }

    fn add_rooms(&mut self, more: Vec<RoomStatus>) {
        let mut sums: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
        for room in std::mem::take(&mut self.rooms).into_iter().chain(more) {
            let (members, here) = sums.entry((room.tenant, room.room)).or_default();
            // Each node knows all members, and may be a moment behind.
            *members = room.members.max(*members);
            *here += room.members_here;
        }
        let rooms = sums.into_iter();
        self.rooms = rooms
            .map(|((tenant, room), (members, members_here))| RoomStatus {
                tenant,
                room,
                members,
                members_here,
            })
            .collect();
        self.rooms.sort_by_key(|room| std::cmp::Reverse(room.members));
        self.rooms.truncate(MAX_LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, asked: bool, connections: u64) -> NodeStatus {
        NodeStatus {
            node: name.into(),
            asked,
            connections,
            ..NodeStatus::default()
        }
    }

    fn answer(own: &str, other: &str, sessions: usize) -> Status {
        let room = |name: &str, members_here| RoomStatus {
            tenant: "acme".into(),
            room: name.into(),
            members: 5,
            members_here,
        };
        Status {
            nodes: vec![node(own, true, 10), node(other, false, 3)],
            tenants: vec![TenantStatus {
                tenant: "acme".into(),
                sessions,
            }],
            rooms: vec![room("lobby", sessions), room(own, 1)],
            ..Status::default()
        }
    }

    #[test]
    fn a_node_that_was_asked_counts_more_than_what_others_say_of_it() {
        let mut all = answer("n2", "n1", 2);
        all.add(answer("n1", "n2", 3));
        assert_eq!(all.nodes, [node("n1", true, 10), node("n2", true, 10)]);
        assert_eq!(all.tenants[0].sessions, 5);
        let lobby = all.rooms.iter().find(|room| room.room == "lobby").unwrap();
        assert_eq!((all.rooms.len(), lobby.members, lobby.members_here), (3, 5, 5));
    }

    #[test]
    fn a_node_that_answers_at_two_addresses_counts_once() {
        let mut all = answer("n1", "n2", 2);
        all.add(answer("n1", "n2", 2));
        assert_eq!(all.tenants[0].sessions, 2);
        assert_eq!(all.nodes.len(), 2);
    }

    #[test]
    fn only_the_largest_stay() {
        let mut all = Status::default();
        for number in 0..30 {
            all.add(answer(&format!("n{number:02}"), "x", 1));
        }
        assert_eq!(all.rooms.len(), MAX_LARGEST);
        assert_eq!(all.nodes.len(), 31);
    }
}
