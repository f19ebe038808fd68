//! The decoders of this crate with what must hold for all bytes, for fuzz targets. Not part of the API.

use switchboard_protocol::PeerKey;

use crate::{claims::Rules, inspect::inspect, jwks_fetch, jws::Jws, key_set::MAX_KEYS};

/// The largest token accepted here, in bytes.
const MAX_TOKEN_BYTES: usize = 8_192;

/// The form of a token: its parts, put together, are the token.
///
/// # Panics
/// When that does not hold.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(inspection) = inspect(text, 1_000) {
        assert!(inspection.header.is_object() && inspection.claims.is_object() && !inspection.verified);
        assert!(inspection.to_string().starts_with("NOT VERIFIED"));
    }
    if let Ok(jws) = Jws::parse(text, MAX_TOKEN_BYTES) {
        assert_eq!(format!("{}.{}", jws.message, jws.signature), text);
        assert_eq!(jws.token, text);
        let _ = jws.payload();
    }
}

/// The claims of a token whose signature is good: a grant has an end in the future, and an address of two names.
///
/// # Panics
/// When that does not hold.
pub fn claims(bytes: &[u8]) {
    let now_s = 1_000;
    for audience in [None, Some("switchboard".into())] {
        let rules = Rules {
            issuer: None,
            audience,
            subject_mapping: crate::SubjectMapping::Escape,
            leeway_s: 5,
        };
        if let Ok(grant) = rules.grant(bytes, now_s) {
            assert!(grant.expires_at > now_s);
            assert_eq!(PeerKey::parse(grant.peer.as_str()).as_ref(), Ok(&grant.peer));
        }
    }
}

/// A JSON Web Key Set: as many keys as are allowed, and at least one.
///
/// # Panics
/// When that does not hold.
pub fn key_set(bytes: &[u8]) {
    if let Ok((keys, _)) = jwks_fetch::parse(bytes) {
        assert!((1..=MAX_KEYS).contains(&keys.len()));
    }
}
