//! What a client asks for when it attaches, and what happens to its session when the connection is gone.

use switchboard_protocol::ResumeToken;

/// What a client wants of its session.
#[derive(Debug, Clone, Default)]
pub struct AttachRequest {
    /// The session to resume, and the number of the last event that the client has of it.
    pub resume: Option<(ResumeToken, u64)>,
    /// Whether the client acknowledges what it has processed.
    pub acks: bool,
    /// Whether a live older connection of this peer stays.
    pub reject: bool,
}

/// What happens to the session when its connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisconnect {
    /// The client may come back: the session can be resumed for the resume window.
    #[default]
    Detach,
    /// The page of the client goes away, and a reload brings it back at once: resumable for the away window.
    Away,
    /// The client said good-bye, or must not come back: the session ends.
    End,
}
