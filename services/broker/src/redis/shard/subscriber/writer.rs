//! Sends the changes of subscriptions on one pub/sub connection, first those of the channels that every node has.

use switchboard_telemetry::BusRebuild;
use tokio::{io::AsyncWriteExt, net::tcp::OwnedWriteHalf};

use super::{
    super::tables::{Change, Channel},
    connection::Connection,
    ended::Ended,
    resp::{write_command, write_header, write_word},
};
use crate::{keys::Names, partition::Partition};

/// The most channels in one SUBSCRIBE.
const MAX_BATCH_CHANNELS: usize = 512;

/// The write buffer keeps at most this many bytes between two writes.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

/// Writes until the connection is lost. Changes that gather while a write is in progress go out together.
pub(super) async fn run(connection: &Connection<'_>, mut writer: OwnedWriteHalf) -> Ended {
    let shard = connection.shard;
    let mut out = Vec::new();
    write_command(
        &["SUBSCRIBE", &connection.revocations, &connection.node_channel],
        &mut out,
    );
    loop {
        if let Err(error) = writer.write_all(&out).await {
            return Ended::new(BusRebuild::Closed, error.to_string());
        }
        out.clear();
        out.shrink_to(WRITE_BUFFER_BYTES);
        while out.is_empty() {
            let changes = shard.tables.lock().subscriptions.take_changes(MAX_BATCH_CHANNELS);
            if changes.is_empty() {
                shard.subscription_changes.notified().await;
            } else {
                encode(&shard.caller.names, &changes, &mut out);
            }
        }
    }
}

/// At most one SUBSCRIBE and one UNSUBSCRIBE; no channel is in both.
fn encode(names: &Names, changes: &[(Channel, Change)], out: &mut Vec<u8>) {
    let mut name = Vec::new();
    for (change, command) in [
        (Change::Subscribe, &b"SUBSCRIBE"[..]),
        (Change::Unsubscribe, b"UNSUBSCRIBE"),
    ] {
        let channels = || changes.iter().filter(|(_, wanted)| *wanted == change);
        let count = channels().count();
        if count > 0 {
            write_header(1 + count, out);
            write_word(command, out);
            for (channel, _) in channels() {
                name.clear();
                write_name(names, channel, &mut name);
                write_word(&name, out);
            }
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
        encode(&Names::default(), &changes, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("*3\r\n$9\r\nSUBSCRIBE\r\n"), "{text}");
        assert!(text.contains("*2\r\n$11\r\nUNSUBSCRIBE\r\n"), "{text}");
        let at = |peer: &str| text.find(&format!("}}:p:acme/{peer}\r\n")).unwrap();
        assert!(at("a") < at("c") && at("c") < at("b"), "{text}");
    }

    #[test]
    fn one_kind_of_change_is_one_command() {
        let bob = Channel::Peer(PeerKey::parse("acme/bob").unwrap());
        let mut out = Vec::new();
        encode(&Names::default(), &[(bob, Change::Unsubscribe)], &mut out);
        assert!(out.starts_with(b"*2\r\n$11\r\nUNSUBSCRIBE\r\n"));
    }
}
