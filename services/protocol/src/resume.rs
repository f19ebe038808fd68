//! The secret that resumes a session on any node (docs/protocol.md, "Handshake"). Not here: the public session id, which
//! every `mid` contains.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Secret, SessionId};

/// A session and its secret: `<session>.<22 characters of base64url>`. It is valid only with a token for the same
/// peer, because the session's record is found by that peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResumeToken {
    /// The session to resume.
    pub session: SessionId,
    secret: [u8; Self::SECRET_BYTES],
}

/// A text is not a resume token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form <session>.<22 characters of base64url>")]
pub struct ResumeTokenError;

impl ResumeToken {
    /// Bytes of the secret.
    pub const SECRET_BYTES: usize = 16;

    /// A token with this secret. The secret must come from a random source.
    #[must_use]
    pub const fn new(session: SessionId, secret: [u8; Self::SECRET_BYTES]) -> Self {
        Self { session, secret }
    }

    /// The secret in its text form, without the session.
    #[must_use]
    pub fn secret(&self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// The secret's bytes, for the session's record.
    #[must_use]
    pub const fn secret_bytes(&self) -> [u8; Self::SECRET_BYTES] {
        self.secret
    }

    /// The text that the client receives and sends back.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        Secret::new(format!(
            "{}.{}",
            self.session,
            URL_SAFE_NO_PAD.encode(self.secret)
        ))
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`ResumeTokenError`] when `text` has another form.
    pub fn parse(text: &str) -> Result<Self, ResumeTokenError> {
        let (session, secret) = text.split_once('.').ok_or(ResumeTokenError)?;
        let session = SessionId::parse(session).map_err(|_| ResumeTokenError)?;
        let mut bytes = [0; Self::SECRET_BYTES];
        match URL_SAFE_NO_PAD.decode_slice(secret, &mut bytes) {
            Ok(Self::SECRET_BYTES) => Ok(Self::new(session, bytes)),
            Ok(_) | Err(_) => Err(ResumeTokenError),
        }
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.<redacted>", self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resume_token_is_parsed_from_its_own_text_and_hides_its_secret() {
        let token = ResumeToken::new(SessionId::from_bytes(*b"abcdefghijkl"), [7; 16]);
        let text = token.to_secret();
        assert_eq!(ResumeToken::parse(text.expose()), Ok(token));
        assert!(text.expose().ends_with(token.secret().expose()));
        assert!(!format!("{token:?}").contains(token.secret().expose()));
    }

    #[test]
    fn an_invalid_resume_token_is_refused() {
        for text in [
            "",
            ".",
            "YWJjZGVmZ2hpamts",
            "YWJjZGVmZ2hpamts.",
            "YWJjZGVmZ2hpamts.short",
        ] {
            assert_eq!(ResumeToken::parse(text), Err(ResumeTokenError), "{text}");
        }
    }
}
