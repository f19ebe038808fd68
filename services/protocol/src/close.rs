//! The table of WebSocket close codes: why a connection closed, and what its client should do.

use std::fmt;

/// What a client does after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientShould {
    /// Nothing: the session ended.
    Stop,
    /// Stop until the client is fixed. The same connect would end the same way.
    StopAndFix,
    /// Connect again with the resume token, after a backoff with full jitter, and not before the wait that the close's
    /// reason names ([`retry_after_ms`]).
    Resume,
    /// Connect again at once with the resume token. Another node accepts it.
    ResumeAtOnce,
    /// Get a new token, then connect.
    RenewToken,
}

macro_rules! close_codes {
    ($($name:ident = $code:literal, $should:ident, $reason:literal;)*) => {
        /// Why the node closed a connection (docs/protocol.md, "Close codes"; RFC 6455, section 7.4).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CloseCode {
            $(
                #[doc = $reason]
                $name,
            )*
        }

        impl CloseCode {
            /// All codes, in numerical order.
            pub const ALL: [Self; [$($code),*].len()] = [$(Self::$name),*];

            /// The number in the close frame.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What the client should do.
            #[must_use]
            pub const fn client_should(self) -> ClientShould {
                match self {
                    $(Self::$name => ClientShould::$should,)*
                }
            }

            /// The reason in the close frame, for people; under 123 bytes (RFC 6455, section 5.5).
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)*
                }
            }
        }
    };
}

close_codes! {
    Normal = 1000, Stop, "closed normally";
    GoingAway = 1001, Stop, "the page was left";
    BinaryFrame = 1003, StopAndFix, "binary frames are not part of this protocol; send JSON text";
    BadUtf8 = 1007, StopAndFix, "a text frame was not valid UTF-8";
    TooLarge = 1009, StopAndFix, "a message was far over the limit that welcome states";
    Restarting = 1012, ResumeAtOnce, "this node restarts; connect again";
    Overloaded = 1013, Resume, "this node cannot serve you now; retry_after_ms=2000";
    ProtocolViolation = 4400, StopAndFix, "ten bad frames in a row";
    TokenEnded = 4401, RenewToken, "the token expired or was revoked; get a new one";
    Kicked = 4403, Stop, "removed by the backend";
    HeartbeatMissed = 4408, Resume, "no sign of life within two heartbeats";
    Replaced = 4409, Stop, "replaced by a newer connection of the same peer";
    RateLimited = 4429, Resume, "over the rate limit again and again; retry_after_ms=5000";
    TooSlow = 4508, Resume, "too slow: the outgoing queue made no progress";
}

impl CloseCode {
    /// The code with this number, if the protocol has one.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code(), self.reason())
    }
}

/// The wait in milliseconds that the reason of a close frame names, as in `busy; retry_after_ms=2000`.
#[must_use]
pub fn retry_after_ms(reason: &str) -> Option<u64> {
    let (_, wait) = reason.split_once("retry_after_ms=")?;
    let digits = wait.bytes().take_while(u8::is_ascii_digit).count();
    wait[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_should_come_back_later_reads_when_in_the_reason() {
        assert_eq!(retry_after_ms(CloseCode::Overloaded.reason()), Some(2_000));
        assert_eq!(retry_after_ms(CloseCode::RateLimited.reason()), Some(5_000));
        assert_eq!(retry_after_ms("retry_after_ms=7 (of 9)"), Some(7));
        for none in [
            "",
            "retry_after_ms=",
            "retry_after_ms=soon",
            "retry_after_ms=99999999999999999999",
        ] {
            assert_eq!(retry_after_ms(none), None, "{none}");
        }
    }

    #[test]
    fn codes_are_sorted_and_their_reasons_fit_a_close_frame() {
        assert!(CloseCode::ALL.is_sorted_by_key(|code| code.code()));
        for code in CloseCode::ALL {
            assert!(code.reason().len() <= 123, "{code}");
            assert_eq!(CloseCode::from_code(code.code()), Some(code));
        }
    }
}
