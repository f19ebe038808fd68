//! The partition of a peer: one of 256, each with a hash tag that Redis Cluster maps into the partition's own
//! range of slots. Pure arithmetic; the names built from it are in `keys`, the servers in `redis::topology`.

use std::sync::LazyLock;

/// Partitions of the key space. Never change it: it decides which names are used.
pub(crate) const PARTITIONS: u32 = 256;

/// Slots of a Redis Cluster.
const SLOTS: u16 = 16_384;

/// The hash tag of each partition: the first number, in base 36, whose slot lies in the partition's range.
/// Every node computes the same table.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut tags = vec![String::new(); PARTITIONS as usize];
    let mut missing = tags.len();
    let mut candidate = 0;
    while missing > 0 {
        let text = base36(candidate);
        let tag = &mut tags[partition_of_slot(slot(text.as_bytes()))];
        if tag.is_empty() {
            *tag = text;
            missing -= 1;
        }
        candidate += 1;
    }
    tags
});

/// One partition of the key space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition(u8);

impl Partition {
    /// The partition of `peer` (`tenant/peer`).
    pub(crate) fn of(peer: &str) -> Self {
        // The cast loses nothing: a bucket is less than PARTITIONS, which is 256.
        Self(jump_hash(xxhash_rust::xxh3::xxh3_64(peer.as_bytes()), PARTITIONS) as u8)
    }

    /// The partition of this number, which is less than [`PARTITIONS`].
    pub(crate) fn from_index(index: usize) -> Self {
        Self(index as u8)
    }

    /// Its number, from 0.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its hash tag.
    pub(crate) fn tag(self) -> &'static str {
        &TAGS[self.index()]
    }
}

fn partition_of_slot(slot: u16) -> usize {
    usize::from(slot) * PARTITIONS as usize / usize::from(SLOTS)
}

fn slot(tag: &[u8]) -> u16 {
    crc16(tag) % SLOTS
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// CRC-16/XMODEM, the one Redis Cluster uses (polynomial 0x1021, initial value 0).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

/// Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014).
fn jump_hash(mut key: u64, buckets: u32) -> u32 {
    let mut bucket = 0;
    let mut next = 0;
    while next < u64::from(buckets) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((bucket + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as u64;
    }
    bucket as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc16_gives_the_published_check_value() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12_182, "as CLUSTER KEYSLOT foo answers");
    }

    #[test]
    fn jump_hash_gives_known_answers() {
        for (key, buckets, bucket) in [
            (1, 1, 0),
            (42, 57, 43),
            (0xdead_10cc, 1, 0),
            (0xdead_10cc, 666, 361),
            (256, 1024, 520),
        ] {
            assert_eq!(jump_hash(key, buckets), bucket, "{key} of {buckets}");
        }
    }

    #[test]
    fn every_partition_has_a_short_tag_in_its_own_range_of_slots() {
        for (partition, tag) in TAGS.iter().enumerate() {
            assert_eq!(partition_of_slot(slot(tag.as_bytes())), partition, "{tag}");
            assert!((1..=3).contains(&tag.len()), "{tag}");
        }
    }

    #[test]
    fn the_tags_are_the_same_for_ever() {
        // Nodes of different versions must agree; a change here splits a running cluster.
        assert_eq!(
            [&TAGS[0], &TAGS[1], &TAGS[255]].map(String::as_str),
            ["cv", "14", "fv"]
        );
        assert_eq!(Partition::of("default/alice").tag(), "15");
    }
}
