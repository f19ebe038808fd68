//! From the claim `sub` to a peer ID. Identity providers write subjects with characters that no peer ID may have; a
//! configured mapping writes these in other characters. Not the rest of the claims (`claims`).

use std::{borrow::Cow, fmt::Write as _};

use switchboard_protocol::{IdError, PeerId};

/// How a subject becomes a peer ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectMapping {
    /// It is the peer ID.
    #[default]
    None,
    /// Each byte (UTF-8) that no peer ID may have, and `=`, becomes `=` and two hexadecimal digits. Two subjects never have
    /// the same peer ID.
    Escape,
}

impl SubjectMapping {
    /// The peer ID of `subject`; the error is a sentence for the refusal.
    pub(crate) fn peer(self, subject: &str) -> Result<PeerId, String> {
        let name = match self {
            Self::None => Cow::Borrowed(subject),
            Self::Escape => escaped(subject),
        };
        PeerId::new(&name).map_err(|error| match (self, error) {
            (Self::None, IdError::BadCharacter(_)) => {
                format!("{error}; the key auth.subject_mapping = \"escape\" accepts such a subject")
            }
            (Self::Escape, IdError::TooLong(_)) => format!("{error}, and each escaped byte needs three"),
            (Self::None | Self::Escape, _) => error.to_string(),
        })
    }
}

fn escaped(subject: &str) -> Cow<'_, str> {
    let is_kept = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b':' | b'@' | b'+' | b'-')
    };
    if subject.bytes().all(is_kept) {
        return Cow::Borrowed(subject);
    }
    let mut name = String::with_capacity(subject.len() + 16);
    for byte in subject.bytes() {
        if is_kept(byte) {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(name, "={byte:02X}");
        }
    }
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    /// What a backend does to find the subject of a peer.
    fn unescaped(name: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = name.as_bytes();
        while let Some((first, more)) = rest.split_first() {
            if *first == b'=' {
                bytes.push(u8::from_str_radix(str::from_utf8(&more[..2]).unwrap(), 16).unwrap());
                rest = &more[2..];
            } else {
                bytes.push(*first);
                rest = more;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn a_peer_id_that_stands_for_a_subject_is_the_one_of_that_subject(
            parts in prop::collection::vec("[A-Za-z0-9._~:@+-]{1,4}|=7C|=2F|=3D|=C3=AB", 1..9)
        ) {
            let peer = parts.concat();
            let subject = unescaped(&peer);
            prop_assert_eq!(escaped(&subject), peer);
        }

        #[test]
        fn two_subjects_have_two_peer_ids(one in any::<String>(), other in any::<String>()) {
            prop_assert_eq!(one == other, escaped(&one) == escaped(&other));
        }

        #[test]
        fn an_escaped_subject_can_be_read_back(subject in any::<String>()) {
            prop_assert_eq!(unescaped(&escaped(&subject)), subject);
        }
    }

    #[test]
    fn subjects_of_identity_providers_become_peer_ids_where_that_is_configured() {
        for (subject, peer) in [
            (
                "auth0|507f1f77bcf86cd799439011",
                "auth0=7C507f1f77bcf86cd799439011",
            ),
            (
                "repo:org/app:ref:refs/heads/main",
                "repo:org=2Fapp:ref:refs=2Fheads=2Fmain",
            ),
            ("google-oauth2|1234", "google-oauth2=7C1234"),
            (
                "system:serviceaccount:calls:app",
                "system:serviceaccount:calls:app",
            ),
            ("arn:aws:iam::1234:role/app", "arn:aws:iam::1234:role=2Fapp"),
            ("CN=Ann Example,O=Acme", "CN=3DAnn=20Example=2CO=3DAcme"),
            ("ann+calls@x.example", "ann+calls@x.example"),
            ("o'neil@x.example", "o=27neil@x.example"),
            ("spiffe://td/ns/a", "spiffe:=2F=2Ftd=2Fns=2Fa"),
            ("a=b", "a=3Db"),
            ("Zoë", "Zo=C3=AB"),
            ("alice", "alice"),
        ] {
            assert_eq!(SubjectMapping::Escape.peer(subject).unwrap().as_str(), peer);
        }
        let refusal = SubjectMapping::None.peer("auth0|507f1f77").unwrap_err();
        assert!(refusal.contains("auth.subject_mapping"), "{refusal}");
        assert!(SubjectMapping::Escape.peer("").is_err());
        assert!(SubjectMapping::Escape.peer(&"|".repeat(43)).is_err(), "129 bytes");
    }
}
