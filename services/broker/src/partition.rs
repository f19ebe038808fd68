//! The partition of a peer: one of 256, each with a hash tag that Redis Cluster maps into the partition's own
//! range of slots. Pure arithmetic; the names built from it are in `keys`, the servers in `redis::topology`.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

/// Partitions of the key space. Never change it: it decides which names are used.
pub(crate) const PARTITIONS: u32 = 256;

/// Slots of a Redis Cluster.
pub(crate) const SLOTS: u16 = 16_384;

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

/// The slot of each tag.
static TAG_SLOTS: LazyLock<Vec<u16>> =
    LazyLock::new(|| TAGS.iter().map(|tag| slot(tag.as_bytes())).collect());

/// One partition of the key space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Partition(u8);

impl Partition {
    pub(crate) const FIRST: Self = Self(0);

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

    /// The partition whose tag has this slot of a Redis Cluster; none if it is the slot of no tag.
    pub(crate) fn of_slot(slot: u16) -> Option<Self> {
        let partition = Self::from_index(partition_of_slot(slot.min(SLOTS - 1)));
        (partition.slot() == slot).then_some(partition)
    }

    /// The slot of its tag in a Redis Cluster.
    pub(crate) fn slot(self) -> u16 {
        TAG_SLOTS[self.index()]
    }

    /// The partition with this hash tag.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let partition = partition_of_slot(slot(tag.as_bytes()));
        (TAGS[partition] == tag).then(|| Self::from_index(partition))
    }

    /// Its hash tag.
    pub(crate) fn tag(self) -> &'static str {
        &TAGS[self.index()]
    }

    /// Every partition, in order.
    pub(crate) fn all() -> impl Iterator<Item = Self> + Clone {
        (0..PARTITIONS as usize).map(Self::from_index)
    }
}

/// Some of the partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PartitionSet([u64; PARTITIONS as usize / 64]);

impl PartitionSet {
    /// All of them.
    pub(crate) const ALL: Self = Self([u64::MAX; PARTITIONS as usize / 64]);

    pub(crate) fn contains(&self, partition: Partition) -> bool {
        self.0[partition.index() / 64] & bit(partition) != 0
    }

    pub(crate) fn insert(&mut self, partition: Partition) {
        self.0[partition.index() / 64] |= bit(partition);
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Its members, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Partition> + '_ {
        Partition::all().filter(|partition| self.contains(*partition))
    }
}

impl FromIterator<Partition> for PartitionSet {
    fn from_iter<T: IntoIterator<Item = Partition>>(partitions: T) -> Self {
        let mut set = Self::default();
        partitions.into_iter().for_each(|partition| set.insert(partition));
        set
    }
}

/// The partitions that a shard serves. Written under the lock of the shard's tables: who holds that lock reads the truth, anyone
/// else a hint.
#[derive(Debug)]
pub(crate) struct Served([AtomicU64; PARTITIONS as usize / 64]);

impl Served {
    pub(crate) fn new(set: PartitionSet) -> Self {
        Self(set.0.map(AtomicU64::new))
    }

    pub(crate) fn contains(&self, partition: Partition) -> bool {
        self.0[partition.index() / 64].load(Ordering::Acquire) & bit(partition) != 0
    }

    pub(crate) fn set(&self) -> PartitionSet {
        PartitionSet(std::array::from_fn(|index| self.0[index].load(Ordering::Acquire)))
    }

    pub(crate) fn insert(&self, set: &PartitionSet) {
        for (word, more) in self.0.iter().zip(set.0) {
            word.fetch_or(more, Ordering::AcqRel);
        }
    }

    pub(crate) fn remove(&self, set: &PartitionSet) {
        for (word, less) in self.0.iter().zip(set.0) {
            word.fetch_and(!less, Ordering::AcqRel);
        }
    }
}

fn bit(partition: Partition) -> u64 {
    1 << (partition.index() % 64)
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
    fn only_the_slots_of_tags_are_those_of_partitions() {
        for partition in Partition::all() {
            assert_eq!(Partition::of_slot(partition.slot()), Some(partition));
        }
        let slots = (0..SLOTS).filter(|slot| Partition::of_slot(*slot).is_some());
        assert_eq!(slots.count(), PARTITIONS as usize);
        assert_eq!(Partition::of_slot(u16::MAX), None);
    }

    #[test]
    fn masters_with_equal_shares_of_the_slots_have_almost_equal_shares_of_the_partitions() {
        for masters in [3_usize, 6, 12] {
            let mut counts = vec![0_usize; masters];
            for partition in Partition::all() {
                counts[usize::from(partition.slot()) * masters / usize::from(SLOTS)] += 1;
            }
            let (least, most) = (*counts.iter().min().unwrap(), *counts.iter().max().unwrap());
            assert!(most - least <= 2, "{masters}: {counts:?}");
        }
    }

    #[test]
    fn a_set_knows_its_members_and_the_served_partitions_follow_it() {
        let some: PartitionSet = [0, 63, 64, 255].map(Partition::from_index).into_iter().collect();
        assert_eq!(
            some.iter().map(Partition::index).collect::<Vec<_>>(),
            [0, 63, 64, 255]
        );
        assert_eq!((some.len(), PartitionSet::ALL.len()), (4, 256));
        let served = Served::new(PartitionSet::ALL);
        served.remove(&some);
        assert!(Partition::all().all(|partition| served.contains(partition) != some.contains(partition)));
        served.insert(&some);
        assert_eq!(served.set(), PartitionSet::ALL);
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
