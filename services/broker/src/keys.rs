//! The names used in Redis, as docs/delivery.md fixes them. All begin with one prefix, so that clusters that share a Redis
//! do not meet; channels know no databases, so the database's number is part of it. Not here: how a partition is found
//! (`partition`).

use crate::partition::Partition;

/// The prefix of a cluster that has a Redis to itself.
pub(crate) const DEFAULT_PREFIX: &str = "sb";

/// In a Redis Cluster, what belongs to the whole cluster has the tag of this partition.
pub(crate) const CLUSTER_PARTITION: Partition = Partition::FIRST;

/// The names of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    prefix: String,
    /// In a Redis Cluster, the home of the shard: its own names have the tag of this partition.
    home: Option<Partition>,
}

/// The commands of pub/sub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PubSubVerbs {
    pub(crate) publish: &'static str,
    pub(crate) subscribe: &'static str,
    pub(crate) unsubscribe: &'static str,
    /// The subcommand of PUBSUB that counts subscribers.
    pub(crate) count: &'static str,
}

impl PubSubVerbs {
    pub(crate) const PLAIN: Self = Self {
        publish: "PUBLISH",
        subscribe: "SUBSCRIBE",
        unsubscribe: "UNSUBSCRIBE",
        count: "NUMSUB",
    };

    /// In a Redis Cluster a message stays on the servers of its slot.
    pub(crate) const SHARDED: Self = Self {
        publish: "SPUBLISH",
        subscribe: "SSUBSCRIBE",
        unsubscribe: "SUNSUBSCRIBE",
        count: "SHARDNUMSUB",
    };
}

impl Default for Names {
    fn default() -> Self {
        Self::new(DEFAULT_PREFIX, 0)
    }
}

impl Names {
    /// The names that begin with `key_prefix`, in the database of this number. No prefix has an `@` in it.
    pub(crate) fn new(key_prefix: &str, database: i64) -> Self {
        let prefix = match database {
            0 => key_prefix.to_owned(),
            database => format!("{key_prefix}@{database}"),
        };
        Self { prefix, home: None }
    }

    /// The same names on the shard of a Redis Cluster whose home is this partition.
    pub(crate) fn in_cluster(&self, home: Partition) -> Self {
        Self {
            prefix: self.prefix.clone(),
            home: Some(home),
        }
    }

    /// The home, in a Redis Cluster.
    pub(crate) fn home(&self) -> Option<Partition> {
        self.home
    }

    /// The commands of pub/sub to use with these names.
    pub(crate) fn verbs(&self) -> PubSubVerbs {
        match self.home {
            None => PubSubVerbs::PLAIN,
            Some(_) => PubSubVerbs::SHARDED,
        }
    }

    /// A name of the shard itself.
    fn of_shard(&self, name: &str) -> String {
        self.tagged(self.home, name)
    }

    /// A name of the whole cluster; it is on the shard for nodes.
    fn of_cluster(&self, name: &str) -> String {
        self.tagged(self.home.map(|_| CLUSTER_PARTITION), name)
    }

    fn tagged(&self, partition: Option<Partition>, name: &str) -> String {
        match partition {
            None => format!("{}:{name}", self.prefix),
            Some(partition) => format!("{}:{{{}}}:{name}", self.prefix, partition.tag()),
        }
    }

    /// The hash of the runs of nodes that have not ended in order: the node of each incarnation.
    pub(crate) fn runs(&self) -> String {
        self.of_shard("runs")
    }

    /// The lock of the node that looks for records of dead runs.
    pub(crate) fn sweep(&self) -> String {
        self.of_shard("sweep")
    }

    /// The hash in which nodes agree on the number of Redis servers in use.
    pub(crate) fn servers(&self) -> String {
        format!("{}:servers", self.prefix)
    }

    /// The place of a Redis server among the servers, from 0.
    pub(crate) fn server_place(&self) -> String {
        format!("{}:server", self.prefix)
    }

    /// The lock of the node that copies what lies on the old servers of partitions that have moved.
    pub(crate) fn copying(&self, servers: usize) -> String {
        format!("{}:copying:{servers}", self.prefix)
    }

    /// The pattern of all names of partitions, for SCAN.
    pub(crate) fn partition_pattern(&self) -> String {
        format!("{}:{{*", self.prefix)
    }

    /// The hash tag in a name, and the kind of the name, for example `s` for a record.
    pub(crate) fn tag_and_kind<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix(":{")?;
        let (tag, kind) = rest.split_once("}:")?;
        Some((tag, kind.split(':').next().unwrap_or_default()))
    }

    /// The hash in which every node publishes what tenants have on it.
    pub(crate) fn tenant_usage(&self) -> String {
        self.of_cluster("usage")
    }

    /// The hash in which every node says what it is, and how many connections it has.
    pub(crate) fn node_records(&self) -> String {
        self.of_cluster("nodes")
    }

    /// The sorted set of the revocations, and the channel on which new ones are published.
    pub(crate) fn revocations(&self) -> String {
        self.of_cluster("revoked")
    }

    /// The record of a call, with the `name` that its tenant begins.
    pub(crate) fn call_record(&self, name: &str) -> String {
        self.of_cluster(&format!("call:{name}"))
    }

    /// The pattern of all records, for SCAN.
    pub(crate) fn record_pattern(&self) -> String {
        format!("{}:{{*}}:s:*", self.prefix)
    }

    /// The `tenant/peer` of a record.
    pub(crate) fn peer_of_record(record: &str) -> Option<&str> {
        record.split_once("}:s:").map(|(_, peer)| peer)
    }

    /// The ends of sessions in the partition of a record.
    pub(crate) fn session_ends_of(record: &str) -> String {
        let tag = record.find("}:s:").unwrap_or(record.len());
        format!("{}}}:e", &record[..tag])
    }

    /// The offline queue next to a record.
    pub(crate) fn offline_queue_of(record: &str) -> String {
        record.replacen("}:s:", "}:m:", 1)
    }

    /// Appends the channel on which messages for `peer` (`tenant/peer`) are published.
    pub(crate) fn write_channel(&self, partition: Partition, peer: &str, out: &mut Vec<u8>) {
        self.write(partition, b"}:p:", peer, out);
    }

    /// Appends the channel on which changes of the presence of `peer` (`tenant/peer`) are published.
    pub(crate) fn write_presence_channel(&self, partition: Partition, peer: &str, out: &mut Vec<u8>) {
        self.write(partition, b"}:w:", peer, out);
    }

    /// The sorted set of the detached sessions of a partition, by the end of their windows.
    pub(crate) fn session_ends(&self, partition: Partition) -> Vec<u8> {
        self.key(partition, b"}:e", "")
    }

    /// What `tenant` holds for receivers without a session: bytes by the end of their hold.
    pub(crate) fn held(&self, partition: Partition, tenant: &str) -> Vec<u8> {
        self.key(partition, b"}:h:", tenant)
    }

    /// The lock of the node that ends sessions whose windows are over.
    pub(crate) fn ending(&self) -> String {
        self.of_shard("ending")
    }

    /// The hash that records who owns `peer` (`tenant/peer`).
    pub(crate) fn record(&self, partition: Partition, peer: &str) -> Vec<u8> {
        self.key(partition, b"}:s:", peer)
    }

    /// The list of the messages stored for `peer` (`tenant/peer`) while it is not connected.
    pub(crate) fn offline_queue(&self, partition: Partition, peer: &str) -> Vec<u8> {
        self.key(partition, b"}:m:", peer)
    }

    /// The hash of a room (`tenant/room`): its version and its members.
    pub(crate) fn room(&self, partition: Partition, room: &str) -> Vec<u8> {
        self.key(partition, b"}:r:", room)
    }

    /// Appends the channel on which changes of `room` (`tenant/room`) and messages to it are published.
    pub(crate) fn write_room_channel(&self, partition: Partition, room: &str, out: &mut Vec<u8>) {
        self.write(partition, b"}:R:", room, out);
    }

    /// The sorted set of the rooms of `tenant` that lie in this partition.
    pub(crate) fn tenant_rooms(&self, partition: Partition, tenant: &str) -> Vec<u8> {
        self.key(partition, b"}:x:", tenant)
    }

    /// The set of the rooms (`tenant/room`) of this partition in which this run of a node has members.
    pub(crate) fn run_rooms(&self, partition: Partition, incarnation: &str) -> Vec<u8> {
        self.key(partition, b"}:i:", incarnation)
    }

    /// The sorted set of the runs that ended in order and left members in rooms, by the time these have to come back.
    pub(crate) fn ended_runs(&self) -> String {
        self.of_shard("ended")
    }

    /// The lock of the node that removes a dead run's members.
    pub(crate) fn room_sweep(&self, incarnation: &str) -> String {
        self.of_shard(&format!("sweep:{incarnation}"))
    }

    /// The channel of a node.
    pub(crate) fn node_channel(&self, node: &str) -> String {
        self.of_shard(&format!("n:{node}"))
    }

    /// The key of a node's lease.
    pub(crate) fn lease(&self, node: &str) -> String {
        self.of_shard(&format!("l:{node}"))
    }

    /// The names of an event stream, which share a hash tag. No stream has a brace in its name.
    pub(crate) fn event_stream(&self, stream: &str) -> EventStreamNames {
        EventStreamNames(match self.home {
            None => format!("{}:{{e:{stream}}}", self.prefix),
            // The tag of the stream would lead to a server of its own.
            Some(_) => self.of_cluster(&format!("E:{stream}")),
        })
    }

    /// The `tenant/peer` in the name of a peer's channel; `None` for any other name.
    pub(crate) fn peer_of_channel<'a>(&self, channel: &'a [u8]) -> Option<&'a str> {
        self.after(channel, "}:p:")
    }

    /// The `tenant/room` in the name of a room's channel; `None` for any other name.
    pub(crate) fn room_of_channel<'a>(&self, channel: &'a [u8]) -> Option<&'a str> {
        self.after(channel, "}:R:")
    }

    /// The `tenant/peer` in the name of a presence channel; `None` for any other name.
    pub(crate) fn peer_of_presence_channel<'a>(&self, channel: &'a [u8]) -> Option<&'a str> {
        self.after(channel, "}:w:")
    }

    fn after<'a>(&self, channel: &'a [u8], kind: &str) -> Option<&'a str> {
        let rest = std::str::from_utf8(channel).ok()?.strip_prefix(&self.prefix)?;
        let (_tag, name) = rest.strip_prefix(":{")?.split_once(kind)?;
        Some(name)
    }

    fn key(&self, partition: Partition, kind: &[u8], peer: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.prefix.len() + peer.len() + 16);
        self.write(partition, kind, peer, &mut out);
        out
    }

    fn write(&self, partition: Partition, kind: &[u8], peer: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(b":{");
        out.extend_from_slice(partition.tag().as_bytes());
        out.extend_from_slice(kind);
        out.extend_from_slice(peer.as_bytes());
    }
}

/// The names of one event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventStreamNames(String);

impl EventStreamNames {
    /// The stream of a partition.
    pub(crate) fn partition(&self, partition: usize) -> String {
        format!("{}:{partition}", self.0)
    }

    /// The lease of a partition.
    pub(crate) fn lease(&self, partition: usize) -> String {
        format!("{}:{partition}:l", self.0)
    }

    /// The nodes that read it, with the ends of their leases.
    pub(crate) fn readers(&self) -> String {
        format!("{}:readers", self.0)
    }

    /// The events that were given up.
    pub(crate) fn dead(&self) -> String {
        format!("{}:dead", self.0)
    }

    /// The note that an event of `key` was appended a moment ago.
    pub(crate) fn recent(&self, key: &str) -> String {
        format!("{}:recent:{key}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_same_for_ever() {
        // Nodes of different versions share one Redis.
        let names = Names::default();
        let (partition, peer) = (Partition::of("acme/bob"), "acme/bob");
        let tag = partition.tag();
        let mut channel = b"kept,".to_vec();
        names.write_channel(partition, peer, &mut channel);
        assert_eq!(channel, format!("kept,sb:{{{tag}}}:p:acme/bob").into_bytes());
        assert_eq!(
            names.record(partition, peer),
            format!("sb:{{{tag}}}:s:acme/bob").into_bytes()
        );
        assert_eq!(
            names.offline_queue(partition, peer),
            format!("sb:{{{tag}}}:m:acme/bob").into_bytes()
        );
        assert_eq!(
            (names.node_channel("n1"), names.lease("n1")),
            ("sb:n:n1".into(), "sb:l:n1".into())
        );
        let mut channel = Vec::new();
        names.write_room_channel(partition, "acme/lobby", &mut channel);
        let rooms = [
            channel,
            names.room(partition, "acme/lobby"),
            names.tenant_rooms(partition, "acme"),
            names.run_rooms(partition, "run"),
        ];
        let wanted = ["R:acme/lobby", "r:acme/lobby", "x:acme", "i:run"];
        assert_eq!(
            rooms,
            wanted.map(|name| format!("sb:{{{tag}}}:{name}").into_bytes())
        );
        assert_eq!(names.room_sweep("run"), "sb:sweep:run");
        assert_eq!(names.ended_runs(), "sb:ended");
        assert_eq!(names.revocations(), "sb:revoked");
        assert_eq!(names.tenant_usage(), "sb:usage");
        assert_eq!(names.node_records(), "sb:nodes");
        assert_eq!(names.call_record("acme/key-1"), "sb:call:acme/key-1");
        let record = String::from_utf8(names.record(partition, peer)).unwrap();
        let queue = Names::offline_queue_of(&record).into_bytes();
        assert_eq!(queue, names.offline_queue(partition, peer));
        assert_eq!(
            Names::session_ends_of(&record).into_bytes(),
            names.session_ends(partition)
        );
    }

    #[test]
    fn a_channel_names_its_peer_to_its_own_cluster_alone() {
        let (partition, peer) = (Partition::of("acme/alice:1@x"), "acme/alice:1@x");
        let clusters = [
            Names::default(),
            Names::new("sb", 1),
            Names::new("other", 0),
            Names::new("s", 0),
        ];
        for (index, names) in clusters.iter().enumerate() {
            let mut channel = Vec::new();
            names.write_channel(partition, peer, &mut channel);
            for (other, reader) in clusters.iter().enumerate() {
                let read = (index == other).then_some(peer);
                assert_eq!(reader.peer_of_channel(&channel), read);
                assert_eq!(reader.room_of_channel(&channel), None);
            }
            channel.clear();
            names.write_room_channel(partition, peer, &mut channel);
            for (other, reader) in clusters.iter().enumerate() {
                let read = (index == other).then_some(peer);
                assert_eq!(reader.room_of_channel(&channel), read);
                assert_eq!(reader.peer_of_channel(&channel), None);
            }
        }
    }

    #[test]
    fn other_names_are_not_channels_of_peers() {
        for name in [&b""[..], b"sb:n:n1", b"sb:{1}:s:a/b", b"sb:{1", b"\xff\xfe"] {
            assert_eq!(Names::default().peer_of_channel(name), None);
            assert_eq!(Names::default().room_of_channel(name), None);
        }
    }
}
