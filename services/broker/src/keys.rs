//! The names used in Redis, as docs/delivery.md fixes them, written into a caller's buffer. Not here: how a
//! partition is found (`partition`).

use crate::partition::Partition;

/// The hash in which every node publishes its number of connections.
pub(crate) const CLUSTER_LOAD: &str = "sb:load";

/// Appends the channel on which messages for `peer` (`tenant/peer`) are published.
pub(crate) fn write_channel(partition: Partition, peer: &str, out: &mut Vec<u8>) {
    write(partition, b"}:p:", peer, out);
}

/// The hash that records who owns `peer` (`tenant/peer`).
pub(crate) fn record(partition: Partition, peer: &str) -> Vec<u8> {
    key(partition, b"}:s:", peer)
}

/// The list of the messages stored for `peer` (`tenant/peer`) while it is not connected.
pub(crate) fn offline_queue(partition: Partition, peer: &str) -> Vec<u8> {
    key(partition, b"}:m:", peer)
}

/// The channel of a node.
pub(crate) fn node_channel(node: &str) -> String {
    format!("sb:n:{node}")
}

/// The key of a node's lease.
pub(crate) fn lease(node: &str) -> String {
    format!("sb:l:{node}")
}

/// The `tenant/peer` in the name of a peer's channel; `None` for any other name.
pub(crate) fn peer_of_channel(channel: &[u8]) -> Option<&str> {
    let rest = std::str::from_utf8(channel).ok()?.strip_prefix("sb:{")?;
    let (_tag, peer) = rest.split_once("}:p:")?;
    Some(peer)
}

fn key(partition: Partition, kind: &[u8], peer: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(peer.len() + 16);
    write(partition, kind, peer, &mut out);
    out
}

fn write(partition: Partition, kind: &[u8], peer: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"sb:{");
    out.extend_from_slice(partition.tag().as_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(peer.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_same_for_ever() {
        // Nodes of different versions share one Redis.
        let (partition, peer) = (Partition::of("acme/bob"), "acme/bob");
        let tag = partition.tag();
        let mut channel = b"kept,".to_vec();
        write_channel(partition, peer, &mut channel);
        assert_eq!(channel, format!("kept,sb:{{{tag}}}:p:acme/bob").into_bytes());
        assert_eq!(
            record(partition, peer),
            format!("sb:{{{tag}}}:s:acme/bob").into_bytes()
        );
        assert_eq!(
            offline_queue(partition, peer),
            format!("sb:{{{tag}}}:m:acme/bob").into_bytes()
        );
        assert_eq!(
            (node_channel("n1").as_str(), lease("n1").as_str()),
            ("sb:n:n1", "sb:l:n1")
        );
    }

    #[test]
    fn a_channel_names_its_peer() {
        let (partition, peer) = (Partition::of("acme/alice:1@x"), "acme/alice:1@x");
        let mut channel = Vec::new();
        write_channel(partition, peer, &mut channel);
        assert_eq!(peer_of_channel(&channel), Some(peer));
    }

    #[test]
    fn other_names_are_not_channels_of_peers() {
        for name in [&b""[..], b"sb:n:n1", b"sb:{1}:s:a/b", b"sb:{1", b"\xff\xfe"] {
            assert_eq!(peer_of_channel(name), None);
        }
    }
}
