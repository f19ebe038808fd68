//! The names used in Redis, as delivery.md fixes them. They are written into a caller's buffer: nothing is
//! kept per peer but its `tenant/peer`. Not here: how a partition is found (`slots`).

use crate::slots::tag_of;

/// The channel on which messages for `peer` (`tenant/peer`) are published.
pub(crate) fn write_channel(peer: &str, out: &mut Vec<u8>) {
    write(peer, b"}:p:", out);
}

/// The hash that records who holds `peer` (`tenant/peer`).
pub(crate) fn session(peer: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(peer.len() + 16);
    write(peer, b"}:s:", &mut out);
    out
}

/// The list of what waits for `peer` (`tenant/peer`) while it is detached.
pub(crate) fn mailbox(peer: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(peer.len() + 16);
    write(peer, b"}:m:", &mut out);
    out
}

/// The channel of a node's inbox.
pub(crate) fn inbox(node: &str) -> String {
    format!("sb:n:{node}")
}

/// The key of a node's lease.
pub(crate) fn lease(node: &str) -> String {
    format!("sb:l:{node}")
}

/// The hash in which every node says how many connections it has.
pub(crate) fn cluster_load() -> &'static str {
    "sb:crowd"
}

/// The `tenant/peer` in a channel's name; `None` for any other name.
pub(crate) fn peer_of_channel(channel: &[u8]) -> Option<&str> {
    let rest = std::str::from_utf8(channel).ok()?.strip_prefix("sb:{")?;
    let (_tag, peer) = rest.split_once("}:p:")?;
    Some(peer)
}

fn write(peer: &str, kind: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"sb:{");
    out.extend_from_slice(tag_of(peer).as_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(peer.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_names_its_peer() {
        let mut channel = Vec::new();
        write_channel("acme/alice:1@x", &mut channel);
        assert_eq!(peer_of_channel(&channel), Some("acme/alice:1@x"));
        assert!(channel.starts_with(b"sb:{") && channel.ends_with(b"}:p:acme/alice:1@x"));
    }

    #[test]
    fn a_peers_channel_and_record_share_one_hash_tag() {
        let mut channel = Vec::new();
        write_channel("acme/bob", &mut channel);
        let record = session("acme/bob");
        let tag = |name: &[u8]| name.split(|byte| *byte == b'}').next().map(<[u8]>::to_vec);
        assert_eq!(tag(&channel), tag(&record));
    }

    #[test]
    fn other_names_are_no_peers_channels() {
        for name in [&b""[..], b"sb:n:n1", b"sb:{1}:s:a/b", b"sb:{1", b"\xff\xfe"] {
            assert_eq!(peer_of_channel(name), None);
        }
    }
}
