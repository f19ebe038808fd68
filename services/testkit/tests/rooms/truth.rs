//! Who is really a member of which room, and who differs: a client, or Redis.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use switchboard_protocol::PeerId;
use switchboard_testkit::{Cluster, wait_until};

use crate::member::Member;

/// The members of each room that has some, in the order of their names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Truth(BTreeMap<String, BTreeSet<String>>);

impl Truth {
    pub(crate) fn enter(&mut self, room: &str, peer: &str) {
        self.0.entry(room.to_owned()).or_default().insert(peer.to_owned());
    }

    pub(crate) fn leave(&mut self, room: &str, peer: &str) {
        if let Some(members) = self.0.get_mut(room) {
            members.remove(peer);
        }
        self.0.retain(|_, members| !members.is_empty());
    }

    pub(crate) fn rooms(&self) -> usize {
        self.0.len()
    }

    /// Waits until every roster of `members` and Redis agree; returns how long that took.
    pub(crate) async fn prevails(&self, cluster: &Cluster, members: &[Member], within: Duration) -> Duration {
        let mut last = String::new();
        let agree = async || {
            last = match members.iter().find_map(|member| self.difference(member)) {
                Some(difference) => difference,
                None if &rooms_in_redis(cluster).await == self => return Some(()),
                None => "Redis differs".to_owned(),
            };
            None
        };
        match wait_until("all rosters agree", within, agree).await {
            Ok(((), took)) => took,
            Err(error) => panic!(
                "{error}: {last}\nRedis has {:?}\nthe truth is {self:?}",
                rooms_in_redis(cluster).await
            ),
        }
    }

    /// What a client believes and is not so.
    fn difference(&self, member: &Member) -> Option<String> {
        let seen = member.seen();
        let believed: BTreeMap<&str, Vec<&str>> = seen
            .rosters
            .iter()
            .map(|(room, roster)| {
                let members = roster.members().into_iter().flat_map(BTreeMap::keys);
                (room.as_str(), members.map(PeerId::as_str).collect())
            })
            .collect();
        let wanted: BTreeMap<&str, Vec<&str>> = self
            .0
            .iter()
            .filter(|(_, members)| members.contains(&member.name))
            .map(|(room, members)| (room.as_str(), members.iter().map(String::as_str).collect()))
            .collect();
        (believed != wanted).then(|| {
            let name = &member.name;
            format!("{name} believes {believed:?} and the truth is {wanted:?}")
        })
    }
}

/// The rooms in Redis with their members. The lists of the tenant's rooms must name the same rooms.
async fn rooms_in_redis(cluster: &Cluster) -> Truth {
    let mut found = Truth::default();
    for key in ask(cluster, &["KEYS", "sb:{*}:r:*"]).await {
        let room = key.split_once("}:r:default/").unwrap().1.to_owned();
        for field in ask(cluster, &["HKEYS", &key]).await {
            if !field.starts_with('#') {
                found.enter(&room, &field);
            }
        }
    }
    let mut listed = BTreeSet::new();
    for key in ask(cluster, &["KEYS", "sb:{*}:x:default"]).await {
        listed.extend(ask(cluster, &["ZRANGE", &key, "0", "-1"]).await);
    }
    // The two were not read at one moment: a difference is read again by the caller.
    if !listed.iter().eq(found.0.keys()) {
        found.enter("(the list of rooms)", &format!("{listed:?}"));
    }
    found
}

async fn ask(cluster: &Cluster, command: &[&str]) -> Vec<String> {
    cluster.redis.command(command).await.unwrap()
}
