//! The text of a session snapshot in the fields of a peer's record: accepted ranges and unacknowledged tail.
//! The scripts read and write the ranges, too, so their form is fixed: `done;first-last,first-last`, each
//! number with 20 digits.

use switchboard_core::{AcceptedRanges, SessionSnapshot, Unacked};
use switchboard_protocol::SessionId;

/// Bytes of one entry of a tail: number, sender, id.
const TAIL_ENTRY_BYTES: usize = 8 + SessionId::BYTES + 8;

/// Reads the snapshot in the fields of a record; `None` if the session's node could not write one.
pub(crate) fn read_snapshot(record: &[(Vec<u8>, Vec<u8>)]) -> Option<SessionSnapshot> {
    let field = |name: &str| record.iter().find(|(field, _)| field == name.as_bytes());
    let (_, last_seq) = field("q")?;
    let last_seq = std::str::from_utf8(last_seq).ok()?.parse().ok()?;
    let tail = field("t").map(|(_, tail)| read_tail(tail)).unwrap_or_default();
    let ranges = record.iter().filter_map(|(field, ranges)| {
        let sender = std::str::from_utf8(field.strip_prefix(b"m:")?).ok()?;
        let mut ranges = read_ranges(std::str::from_utf8(ranges).ok()?)?;
        // Stored messages come out of the offline queue; among these they would look like repetitions.
        ranges.keep_done();
        Some((SessionId::parse(sender).ok()?, ranges))
    });
    Some(SessionSnapshot {
        last_seq,
        tail,
        accepted: ranges.collect(),
    })
}

/// The text of accepted ranges.
pub(crate) fn write_ranges(accepted: &AcceptedRanges) -> String {
    let ranges: Vec<_> = accepted
        .ranges
        .iter()
        .map(|(first, last)| format!("{first:020}-{last:020}"))
        .collect();
    format!("{:020};{}", accepted.done, ranges.join(","))
}

/// Reads the text of accepted ranges.
pub(crate) fn read_ranges(text: &str) -> Option<AcceptedRanges> {
    let (done, ranges) = text.split_once(';')?;
    let ranges = ranges.split(',').filter(|range| !range.is_empty());
    let ranges = ranges.map(|range| {
        let (first, last) = range.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    Some(AcceptedRanges {
        done: done.parse().ok()?,
        ranges: ranges.collect::<Option<_>>()?,
    })
}

/// The bytes of a tail.
pub(crate) fn write_tail(tail: &[Unacked]) -> Vec<u8> {
    let mut out = Vec::with_capacity(tail.len() * TAIL_ENTRY_BYTES);
    for unacked in tail {
        out.extend_from_slice(&unacked.seq.to_be_bytes());
        out.extend_from_slice(unacked.sender.as_bytes());
        out.extend_from_slice(&unacked.id.to_be_bytes());
    }
    out
}

/// Reads the bytes of a tail; an incomplete entry at the end is ignored.
pub(crate) fn read_tail(bytes: &[u8]) -> Vec<Unacked> {
    let (entries, _) = bytes.as_chunks::<TAIL_ENTRY_BYTES>();
    let entries = entries.iter().filter_map(|entry| {
        let (seq, rest) = entry.split_first_chunk::<8>()?;
        let (sender, rest) = rest.split_first_chunk::<{ SessionId::BYTES }>()?;
        let (id, _) = rest.split_first_chunk::<8>()?;
        Some(Unacked {
            seq: u64::from_be_bytes(*seq),
            sender: SessionId::from_bytes(*sender),
            id: u64::from_be_bytes(*id),
        })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: impl Into<Vec<u8>>) -> (Vec<u8>, Vec<u8>) {
        (name.into(), value.into())
    }

    #[test]
    fn ranges_read_back_what_was_written() {
        let accepted = AcceptedRanges {
            done: 7,
            ranges: vec![(1, 3), (7, 7), (u64::MAX, u64::MAX)],
        };
        assert_eq!(read_ranges(&write_ranges(&accepted)), Some(accepted));
        let none = AcceptedRanges::default();
        assert_eq!(write_ranges(&none), "00000000000000000000;");
        assert_eq!(read_ranges(&write_ranges(&none)), Some(none));
    }

    #[test]
    fn each_number_has_twenty_digits_so_that_the_scripts_can_compare_them_as_text() {
        let accepted = AcceptedRanges {
            done: 3,
            ranges: vec![(2, 3), (10, u64::MAX)],
        };
        assert_eq!(
            write_ranges(&accepted),
            "00000000000000000003;00000000000000000002-00000000000000000003,\
             00000000000000000010-18446744073709551615"
        );
    }

    #[test]
    fn other_texts_are_not_ranges() {
        for text in ["", "7", "x;", "7;1", "7;1-", "7;1-2-3", "7;1-2,3", "-1;"] {
            assert_eq!(read_ranges(text), None, "{text}");
        }
    }

    #[test]
    fn a_tail_reads_back_what_was_written_and_ignores_half_an_entry() {
        let entry = |seq| Unacked {
            seq,
            sender: SessionId::from_bytes([5; 12]),
            id: u64::MAX,
        };
        let tail = [entry(3), entry(4)];
        let mut bytes = write_tail(&tail);
        assert_eq!(bytes.len(), 2 * 28);
        assert_eq!(read_tail(&bytes), tail);
        bytes.pop();
        assert_eq!(read_tail(&bytes), tail[..1]);
        assert_eq!(read_tail(&[]), []);
    }

    #[test]
    fn a_snapshot_is_what_the_record_holds_without_the_stored_messages() {
        let sender = SessionId::from_bytes([7; 12]);
        let mut name = b"m:".to_vec();
        sender.write(&mut name);
        let accepted = AcceptedRanges {
            done: 4,
            ranges: vec![(1, 4), (9, 9)],
        };
        let record = [
            field("session", "x"),
            (name, write_ranges(&accepted).into_bytes()),
            field("m:not a session", "1;"),
            field("q", "12"),
        ];
        let snapshot = read_snapshot(&record).unwrap();
        let done = AcceptedRanges {
            done: 4,
            ranges: vec![(1, 4)],
        };
        assert_eq!((snapshot.last_seq, snapshot.tail.len()), (12, 0));
        assert_eq!(snapshot.accepted, [(sender, done)]);
    }

    #[test]
    fn without_a_last_number_there_is_no_snapshot() {
        assert_eq!(read_snapshot(&[field("t", "")]), None);
        assert_eq!(read_snapshot(&[field("q", "")]), None);
    }
}
