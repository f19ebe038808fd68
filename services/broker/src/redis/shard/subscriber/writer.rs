//! Sends the changes of subscriptions on one pub/sub connection, first that of the node's own channel.

use switchboard_telemetry::BusRebuild;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{
    super::tables::{Change, Channel},
    connection::Connection,
    ended::Ended,
};
use crate::{
    keys::{CLUSTER_PARTITION, Names},
    partition::Partition,
    redis::resp::{write_command, write_header, write_word},
};

/// The most channels in one SUBSCRIBE.
const MAX_BATCH_CHANNELS: usize = 512;

/// The write buffer keeps at most this many bytes between two writes.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

/// Writes until the connection is lost. Changes that gather while a write is in progress go out together.
pub(super) async fn run(connection: &Connection<'_>, mut writer: impl AsyncWrite + Unpin) -> Ended {
    let shard = connection.shard;
    let mut out = Vec::new();
    let names = &shard.caller.names;
    write_command(&[names.verbs().subscribe, &connection.node_channel], &mut out);
    loop {
        // TLS keeps bytes until they are flushed.
        let sent = async {
            writer.write_all(&out).await?;
            writer.flush().await
        };
        if let Err(error) = sent.await {
            return Ended::new(
                BusRebuild::Closed,
                format!("the pub/sub connection broke: {error}"),
            );
        }
        out.clear();
        out.shrink_to(WRITE_BUFFER_BYTES);
        while out.is_empty() {
            let changes = shard.tables.lock().subscriptions.take_changes(MAX_BATCH_CHANNELS);
            if changes.is_empty() {
                shard.subscription_changes.notified().await;
            } else {
                encode(names, changes, &mut out);
            }
        }
    }
}

/// At most one SUBSCRIBE and one UNSUBSCRIBE, of each partition where the names are those of a Redis Cluster: a command may
/// name channels of one slot only. No channel is in both.
fn encode(names: &Names, mut changes: Vec<(Channel, Change)>, out: &mut Vec<u8>) {
    let verbs = names.verbs();
    let slot_of = |channel: &Channel| {
        let partition = channel.partition().unwrap_or(CLUSTER_PARTITION);
        names.home().map(|_| partition.index())
    };
    let group_of = |(channel, change): &(Channel, Change)| (*change == Change::Unsubscribe, slot_of(channel));
    changes.sort_by_cached_key(group_of);
    let mut name = Vec::new();
    for group in changes.chunk_by(|one, next| group_of(one) == group_of(next)) {
        write_header(1 + group.len(), out);
        write_word(
            match group[0].1 {
                Change::Subscribe => verbs.subscribe.as_bytes(),
                Change::Unsubscribe => verbs.unsubscribe.as_bytes(),
            },
            out,
        );
        for (channel, _) in group {
            name.clear();
            write_name(names, channel, &mut name);
            write_word(&name, out);
        }
    }
}

fn write_name(names: &Names, channel: &Channel, out: &mut Vec<u8>) {
    match channel {
        Channel::Peer(key) => names.write_channel(Partition::of(key.as_str()), key.as_str(), out),
        Channel::Room(room) => names.write_room_channel(Partition::of(room.as_str()), room.as_str(), out),
        Channel::Presence(key) => {
            names.write_presence_channel(Partition::of(key.as_str()), key.as_str(), out);
        }
        Channel::Revocations => out.extend_from_slice(names.revocations().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::PeerKey;

    use super::*;

    #[test]
    fn changes_go_out_as_one_command_of_each_kind() {
        let channel = |peer: &str| Channel::Peer(PeerKey::parse(peer).unwrap());
        let changes = [
            (channel("acme/a"), Change::Subscribe),
            (channel("acme/b"), Change::Unsubscribe),
            (channel("acme/c"), Change::Subscribe),
        ];
        let mut out = Vec::new();
        encode(&Names::default(), changes.to_vec(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("*3\r\n$9\r\nSUBSCRIBE\r\n"), "{text}");
        assert!(text.contains("*2\r\n$11\r\nUNSUBSCRIBE\r\n"), "{text}");
        let at = |peer: &str| text.find(&format!("}}:p:acme/{peer}\r\n")).unwrap();
        assert!(at("a") < at("c") && at("c") < at("b"), "{text}");
    }

    #[test]
    fn in_a_redis_cluster_each_command_has_channels_of_one_slot() {
        let names = Names::default().in_cluster(Partition::FIRST);
        let peer = |number: u32| Channel::Peer(PeerKey::parse(&format!("acme/p{number}")).unwrap());
        let changes = (0..600).map(|number| (peer(number), Change::Subscribe));
        let changes: Vec<_> = changes
            .chain([(Channel::Revocations, Change::Subscribe)])
            .collect();
        let mut out = Vec::new();
        encode(&names, changes, &mut out);
        let text = String::from_utf8(out).unwrap();
        let mut channels = 0;
        for command in text.split("SSUBSCRIBE\r\n").skip(1) {
            let names = command.lines().filter_map(|line| line.strip_prefix("sb:{"));
            let tags: Vec<&str> = names.filter_map(|name| name.split('}').next()).collect();
            assert!(tags.iter().all(|tag| *tag == tags[0]), "{tags:?}");
            channels += tags.len();
        }
        assert_eq!(channels, 601);
    }

    #[test]
    fn one_kind_of_change_is_one_command() {
        let bob = Channel::Peer(PeerKey::parse("acme/bob").unwrap());
        let mut out = Vec::new();
        encode(&Names::default(), vec![(bob, Change::Unsubscribe)], &mut out);
        assert!(out.starts_with(b"*2\r\n$11\r\nUNSUBSCRIBE\r\n"));
    }
}
