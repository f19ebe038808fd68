//! The bytes of a probe: a number that a node publishes on its own channel. Not when it is sent
//! (`shard::probe`).

/// First byte of a probe; no `NodeMessage` begins with it.
const TAG: u8 = 0xff;

/// The bytes of a probe.
pub(crate) fn encode(nonce: u64) -> [u8; 9] {
    let mut bytes = [TAG; 9];
    bytes[1..].copy_from_slice(&nonce.to_be_bytes());
    bytes
}

/// The number in a probe; `None` for any other message.
pub(crate) fn decode(message: &[u8]) -> Option<u64> {
    let nonce = message.strip_prefix(&[TAG])?;
    nonce.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::NodeMessage;

    use super::*;

    #[test]
    fn a_probe_is_not_a_node_message() {
        let bytes = encode(7);
        assert_eq!(decode(&bytes), Some(7));
        assert_eq!(bytes, [0xff, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert!(NodeMessage::decode(&bytes).is_err());
        assert_eq!(decode(&NodeMessage::Acks(Vec::new()).encode()), None);
        assert_eq!(decode(&bytes[..8]), None, "too short");
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), None, "too long");
    }
}
