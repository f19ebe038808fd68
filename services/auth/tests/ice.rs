//! ICE servers from configuration: what peers get, and which configurations are refused.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use switchboard_auth::{IceConfig, IceServers};
use switchboard_protocol::{PeerId, Secret};

const NOW: u64 = 1_700_000_000;

fn alice() -> PeerId {
    PeerId::new("alice").unwrap()
}

fn full() -> IceConfig {
    IceConfig {
        stun_urls: vec!["stun:stun.example:3478".into()],
        turn_urls: vec![
            "turn:turn.example:3478?transport=udp".into(),
            "turns:[2001:db8::1]:5349?transport=tcp".into(),
        ],
        turn_secret: Some(Secret::new("north-of-the-wall")),
        turn_ttl_s: 3_600,
    }
}

#[test]
fn stun_has_no_credentials_and_turn_has_those_of_the_peer() {
    let ice = IceServers::new(full()).unwrap();
    let servers = serde_json::to_value(ice.ice_servers(&alice(), NOW)).unwrap();
    assert_eq!(
        servers,
        serde_json::json!([
            {"urls": ["stun:stun.example:3478"]},
            {
                "urls": ["turn:turn.example:3478?transport=udp", "turns:[2001:db8::1]:5349?transport=tcp"],
                "username": "1700003600:alice",
                // As in the known answer of `turn`, computed with openssl.
                "credential": "Leqf3VsXHDAw9LEfMs5oCLCEopc=",
            },
        ])
    );
    assert_eq!(ice.expires_at(NOW), NOW + 3_600);
}

#[test]
fn nothing_configured_gives_an_empty_list() {
    let ice = IceServers::new(IceConfig::default()).unwrap();
    assert!(ice.ice_servers(&alice(), NOW).is_empty());
    assert_eq!(ice.expires_at(NOW), 0);
}

#[test]
fn debug_output_shows_no_secret() {
    let shown = format!("{:?} {:?}", full(), IceServers::new(full()).unwrap());
    assert!(!shown.contains("north"), "{shown}");
}

#[test]
fn good_urls_are_accepted() {
    for url in [
        "stun:a",
        "stuns:a.b-c.example:5349",
        "stun:192.0.2.1:1",
        "stun:[::1]",
        "stun:[::1]:65535",
    ] {
        let config = IceConfig {
            stun_urls: vec![url.into()],
            ..IceConfig::default()
        };
        assert!(IceServers::new(config).is_ok(), "{url}");
    }
}

#[test]
fn bad_urls_are_refused_with_key_and_reason() {
    let stun = |url: &str| IceConfig {
        stun_urls: vec![url.into()],
        ..IceConfig::default()
    };
    let turn = |url: &str| IceConfig {
        turn_urls: vec![url.into()],
        ..full()
    };
    for (config, key, why) in [
        (stun("example:3478"), "ice.stun_urls", "must start with stun:"),
        (stun(""), "ice.stun_urls", "must start with stun:"),
        (stun("turn:example"), "ice.stun_urls", "must start with stun:"),
        (stun("stun://example"), "ice.stun_urls", "must not have //"),
        (stun("stun:"), "ice.stun_urls", "has no host"),
        (stun("stun::3478"), "ice.stun_urls", "has no host"),
        (
            stun("stun:a?transport=udp"),
            "ice.stun_urls",
            "must not have a query",
        ),
        (stun("stun:a b"), "ice.stun_urls", "character in its host"),
        (stun("stun:user@a"), "ice.stun_urls", "character in its host"),
        (stun("stun:[::1"), "ice.stun_urls", "without ]"),
        (stun("stun:[nope]"), "ice.stun_urls", "bad IPv6"),
        (stun("stun:[::1]x"), "ice.stun_urls", "after ]"),
        (turn("stun:a"), "ice.turn_urls", "must start with turn:"),
        (turn("turn:a:0"), "ice.turn_urls", "bad port"),
        (turn("turn:a:65536"), "ice.turn_urls", "bad port"),
        (turn("turn:a:"), "ice.turn_urls", "bad port"),
        (turn("turn:a?transport=sctp"), "ice.turn_urls", "?transport=udp"),
    ] {
        let refusal = IceServers::new(config).unwrap_err().to_string();
        assert!(refusal.contains(key) && refusal.contains(why), "{refusal}");
    }
}

#[test]
fn an_invalid_section_is_refused() {
    for (config, words) in [
        (
            IceConfig {
                turn_secret: None,
                ..full()
            },
            "ice.turn_secret_file",
        ),
        (
            IceConfig {
                turn_secret: Some(Secret::new("")),
                ..full()
            },
            "ice.turn_secret_file",
        ),
        (
            IceConfig {
                turn_ttl_s: 59,
                ..full()
            },
            "ice.turn_ttl_s: 59",
        ),
        (
            IceConfig {
                turn_ttl_s: 604_801,
                ..full()
            },
            "ice.turn_ttl_s: 604801",
        ),
        (
            IceConfig {
                stun_urls: vec!["stun:a".into(); 17],
                ..full()
            },
            "ice.stun_urls: 17 URLs",
        ),
    ] {
        let refusal = IceServers::new(config).unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
}
