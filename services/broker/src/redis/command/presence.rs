//! What the scripts publish when the presence of a peer changes, and the end of a session whose resume window is over.

use redis::Cmd;
use switchboard_protocol::{PeerKey, PresenceState, SessionId};

use super::{
    super::scripts::Script,
    caller::{Caller, session_text},
};

/// Reads a change: `<fence> <state>`.
pub(crate) fn read_change(payload: &[u8]) -> Option<(u64, PresenceState)> {
    let (fence, state) = std::str::from_utf8(payload).ok()?.split_once(' ')?;
    let state = match state {
        "online" => PresenceState::Online,
        "detached" => PresenceState::Detached,
        "offline" => PresenceState::Offline,
        _ => return None,
    };
    Some((fence.parse().ok()?, state))
}

/// A detached session, as the sorted set of its partition names it: `<session> <fence> <tenant/peer>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachedSession {
    pub(crate) session: SessionId,
    fence: u64,
    pub(crate) peer: PeerKey,
}

impl DetachedSession {
    /// Reads a member of the sorted set.
    pub(crate) fn read(member: &str) -> Option<Self> {
        let mut words = member.splitn(3, ' ');
        Some(Self {
            session: SessionId::parse(words.next()?).ok()?,
            fence: words.next()?.parse().ok()?,
            peer: PeerKey::parse(words.next()?).ok()?,
        })
    }

    /// The member of the sorted set, as the scripts write it.
    pub(crate) fn name(&self) -> String {
        format!("{} {} {}", self.session, self.fence, self.peer)
    }

    /// Ends it, unless it was resumed or replaced.
    pub(crate) fn write_end(&self, caller: &Caller, with_source: bool) -> Cmd {
        let mut command = caller.on_record_and_queue(Script::EndSession, &self.peer, with_source);
        command.arg(session_text(self.session)).arg(self.fence);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_presence_is_a_fence_and_a_state() {
        assert_eq!(read_change(b"17 online"), Some((17, PresenceState::Online)));
        assert_eq!(read_change(b"0 detached"), Some((0, PresenceState::Detached)));
        assert_eq!(read_change(b"1 offline"), Some((1, PresenceState::Offline)));
        for other in [
            &b""[..],
            b"17",
            b"17 ",
            b"x online",
            b"17 away",
            b"17 online ",
            b"\xff 1",
        ] {
            assert_eq!(read_change(other), None, "{}", other.escape_ascii());
        }
    }

    #[test]
    fn a_detached_session_is_read_from_its_name() {
        let session = SessionId::from_bytes([5; 12]);
        let read = DetachedSession::read(&format!("{session} 17 acme/bob")).unwrap();
        assert_eq!(
            (read.session, read.fence, read.peer.as_str()),
            (session, 17, "acme/bob")
        );
        for other in [
            "",
            "x 17 acme/bob",
            &format!("{session} x acme/bob"),
            &format!("{session} 17 bob"),
        ] {
            assert_eq!(DetachedSession::read(other), None, "{other}");
        }
    }
}
