//! The table of error codes in the event `error`. Not here: the codes that close a connection (`close`).

use std::fmt;

use serde::{Deserialize, Serialize};

// `tt`, because `utoipa` does not see the text inside of a `literal`.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:tt, $meaning:tt;)*) => {
        /// Why a command or a send failed. It is final for its `id` (docs/protocol.md, "Errors").
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub enum ErrorCode {
            $(
                #[doc = $meaning]
                #[serde(rename = $text)]
                $name,
            )*
        }

        impl ErrorCode {
            /// All codes, in the order of [`ErrorCode::index`].
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// The code on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

error_codes! {
    BadFrame = "bad-frame", "The frame is not one JSON object of the expected form.";
    UnknownType = "unknown-type", "This node does not serve a command of that type.";
    BadId = "bad-id", "A peer, tenant or room name is not 1 to 128 characters of the allowed set.";
    MissingField = "missing-field", "A field that the command needs is missing.";
    PayloadTooLarge = "payload-too-large", "The message is over the limit in bytes that `welcome` states.";
    NotAllowed = "not-allowed", "The token does not allow this.";
    PeerOffline = "peer-offline", "No such peer is connected or resumable.";
    Expired = "expired", "The receiver did not return within its resume window, or did not connect while the message was held.";
    Timeout = "timeout", "Nobody confirmed the message before its deadline; it may or may not have arrived.";
    QueueFull = "queue-full", "The receiver's queue stayed full until the deadline.";
    RateLimited = "rate-limited", "Too many commands; wait for `retry_after_ms`.";
    BusUnavailable = "bus-unavailable", "The receiver may be on another node, and nodes cannot reach each other now.";
    NotInRoom = "not-in-room", "The peer is not a member of that room.";
    RoomFull = "room-full", "The room has reached its limit of members.";
    TokenInvalid = "token-invalid", "The token was refused.";
    Internal = "internal", "The node failed; the cause is in its log.";
}

impl ErrorCode {
    /// The code's index in [`ErrorCode::ALL`], for tables of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_index_and_the_same_text_in_json() {
        for (index, code) in ErrorCode::ALL.into_iter().enumerate() {
            assert_eq!(code.index(), index);
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
    }
}
