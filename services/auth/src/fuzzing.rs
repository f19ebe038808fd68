//! The decoders of this crate with what must hold for all bytes, for fuzz targets. Not part of the API.

use switchboard_protocol::PeerKey;

use crate::{
    IssuerConfig, SubjectMapping, claims::Rules, discovery, inspect::inspect, jwks_fetch, jws::Jws,
    key_client, key_set::MAX_KEYS,
};

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
        let issuer = IssuerConfig {
            audience,
            subject_mapping: SubjectMapping::Escape,
            ..IssuerConfig::default()
        };
        let rules = Rules::new(&issuer.clone().into(), &issuer);
        assert!(rules.is_ok());
        if let Ok(Ok(grant)) = rules.map(|rules| rules.grant(bytes, now_s)) {
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

/// A discovery document: its URL leads to this issuer's keys over TLS, or on this machine.
///
/// # Panics
/// When that does not hold.
pub fn discovery_document(bytes: &[u8]) {
    let issuer = "https://id.example";
    if let Ok(url) = discovery::parse(bytes, issuer) {
        assert!(url.scheme() == "https" || (url.scheme() == "http" && key_client::is_loopback(&url)));
        assert!(url.username().is_empty() && url.password().is_none());
        let document: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        assert_eq!(document["issuer"], issuer);
    }
}
