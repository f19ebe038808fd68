//! A change of a room as its scripts publish it on the room's channel: a text, so that the scripts can write it. It
//! begins with `+` or `-`, and an envelope never does.
//!
//! `+ <version before> <version> <peer> <incarnation> <session> <o or d> <info>`, or
//! `- <version before> <version> <peer> <session> <reason>`.

use switchboard_core::{RoomChange, RoomDelta, RoomMember};
use switchboard_protocol::{LeaveReason, PeerId, SessionId};

use super::rooms::{read_info, read_state};

/// Whether a payload on a room's channel is a change, and no envelope.
pub(crate) fn is_delta(payload: &[u8]) -> bool {
    matches!(payload.first(), Some(b'+' | b'-'))
}

/// Reads a change, and the run of a node that entered the member; '' for a member that left.
pub(crate) fn read(payload: &[u8]) -> Option<(RoomDelta, &str)> {
    let text = std::str::from_utf8(payload).ok()?;
    let (kind, rest) = text.split_once(' ')?;
    let mut words = rest.splitn(7, ' ');
    let previous = words.next()?.parse().ok()?;
    let version = words.next()?.parse().ok()?;
    let peer = PeerId::new(words.next()?).ok()?;
    let (change, run) = match kind {
        "+" => {
            let run = words.next()?;
            let session = SessionId::parse(words.next()?).ok()?;
            let state = read_state(words.next()?)?;
            let info = read_info(words.next()?);
            let member = RoomMember {
                peer,
                session,
                info,
                state,
            };
            (RoomChange::Entered(member), run)
        }
        "-" => {
            let session = SessionId::parse(words.next()?).ok()?;
            let reason = LeaveReason::from_name(words.next()?)?;
            let change = RoomChange::Left {
                peer,
                session,
                reason,
            };
            (change, "")
        }
        _ => return None,
    };
    let delta = RoomDelta {
        previous,
        version,
        change,
    };
    Some((delta, run))
}

#[cfg(test)]
mod tests {
    use switchboard_protocol::MemberState;

    use super::*;

    #[test]
    fn a_member_that_enters_is_read_with_its_run_and_an_info_with_blanks() {
        let text = br#"+ 0 17 bob run AQEBAQEBAQEBAQEB o {"name": "B o b"}"#;
        assert!(is_delta(text));
        let (delta, run) = read(text).unwrap();
        assert_eq!((delta.previous, delta.version, run), (0, 17, "run"));
        let RoomChange::Entered(member) = delta.change else {
            panic!("{delta:?}");
        };
        assert_eq!(member.session, SessionId::from_bytes([1; 12]));
        assert_eq!(member.state, MemberState::Online);
        assert_eq!(member.info.unwrap().get(), r#"{"name": "B o b"}"#);
        let (delta, _) = read(b"+ 17 18 bob run AQEBAQEBAQEBAQEB d ").unwrap();
        let RoomChange::Entered(member) = delta.change else {
            panic!("{delta:?}");
        };
        assert_eq!((member.state, member.info), (MemberState::Detached, None));
    }

    #[test]
    fn a_member_that_leaves_is_read_with_its_reason() {
        let (delta, run) = read(b"- 17 18 bob AQEBAQEBAQEBAQEB lost").unwrap();
        let change = RoomChange::Left {
            peer: PeerId::new("bob").unwrap(),
            session: SessionId::from_bytes([1; 12]),
            reason: LeaveReason::Lost,
        };
        assert_eq!((delta.previous, delta.change, run), (17, change, ""));
    }

    #[test]
    fn other_payloads_are_no_changes() {
        assert!(!is_delta(b"") && !is_delta(&[1, 2, 3]));
        for text in [
            "+",
            "- 1 2 bob",
            "+ 1 x bob r AQEBAQEBAQEBAQEB o ",
            "- 1 2 b/b AQEBAQEBAQEBAQEB lost",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(b"- 1 2 bob AQEBAQEBAQEBAQEB why"), None);
        assert_eq!(read(b"= 1 2 bob AQEBAQEBAQEBAQEB lost"), None);
    }
}
