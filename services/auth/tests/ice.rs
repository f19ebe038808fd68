//! ICE servers from configuration: what peers get, and which configurations are refused.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use switchboard_auth::{IceConfig, IceRegionConfig, IceServers, IceServersConfig, Region};
use switchboard_protocol::{PeerId, Secret};

const NOW: u64 = 1_700_000_000;

fn alice() -> PeerId {
    PeerId::new("alice").unwrap()
}

fn checked(servers: IceServersConfig) -> Result<IceServers, String> {
    let config = IceConfig {
        servers,
        regions: Vec::new(),
    };
    IceServers::new(config).map_err(|error| error.to_string())
}

fn full() -> IceServersConfig {
    IceServersConfig {
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
    let ice = checked(full()).unwrap();
    let servers = serde_json::to_value(ice.ice_servers(Region::default(), &alice(), NOW)).unwrap();
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
    assert_eq!(ice.expires_at(Region::default(), NOW), NOW + 3_600);
}

#[test]
fn nothing_configured_gives_an_empty_list() {
    let ice = IceServers::new(IceConfig::default()).unwrap();
    assert!(ice.ice_servers(Region::default(), &alice(), NOW).is_empty());
    assert_eq!(ice.expires_at(Region::default(), NOW), 0);
}

#[test]
fn debug_output_shows_no_secret() {
    let shown = format!("{:?} {:?}", full(), checked(full()).unwrap());
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
        let config = IceServersConfig {
            stun_urls: vec![url.into()],
            ..IceServersConfig::default()
        };
        assert!(checked(config).is_ok(), "{url}");
    }
}

#[test]
fn bad_urls_are_refused_with_key_and_reason() {
    let stun = |url: &str| IceServersConfig {
        stun_urls: vec![url.into()],
        ..IceServersConfig::default()
    };
    let turn = |url: &str| IceServersConfig {
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
        let refusal = checked(config).unwrap_err();
        assert!(refusal.contains(key) && refusal.contains(why), "{refusal}");
    }
}

#[test]
fn an_invalid_section_is_refused() {
    for (config, words) in [
        (
            IceServersConfig {
                turn_secret: None,
                ..full()
            },
            "ice.turn_secret_file",
        ),
        (
            IceServersConfig {
                turn_secret: Some(Secret::new("")),
                ..full()
            },
            "ice.turn_secret_file",
        ),
        (
            IceServersConfig {
                turn_ttl_s: 59,
                ..full()
            },
            "ice.turn_ttl_s: 59",
        ),
        (
            IceServersConfig {
                turn_ttl_s: 604_801,
                ..full()
            },
            "ice.turn_ttl_s: 604801",
        ),
        (
            IceServersConfig {
                stun_urls: vec!["stun:a".into(); 17],
                ..full()
            },
            "ice.stun_urls: 17 URLs",
        ),
    ] {
        let refusal = checked(config).unwrap_err();
        assert!(refusal.contains(words), "{refusal}");
    }
}

fn region(name: &str, header_values: &[&str]) -> IceRegionConfig {
    IceRegionConfig {
        name: name.into(),
        header_values: header_values.iter().map(|value| (*value).to_owned()).collect(),
        servers: IceServersConfig {
            turn_urls: vec![format!("turn:{name}.example")],
            ..full()
        },
    }
}

#[test]
fn a_region_has_its_own_servers_and_an_unknown_one_is_none() {
    let config = IceConfig {
        servers: full(),
        regions: vec![region("eu", &["DE", "FR"]), region("us", &["US"])],
    };
    let ice = IceServers::new(config).unwrap();
    assert!(ice.has_regions());
    let us = ice.region("us").unwrap();
    assert_eq!(ice.name(us).unwrap().as_str(), "us");
    let turn = &ice.ice_servers(us, &alice(), NOW)[1];
    assert_eq!(turn.urls, ["turn:us.example"]);
    assert_eq!(ice.region_of_header("US"), Some(us));
    assert_eq!(ice.region_of_header("us"), Some(us), "the name is a value, too");
    assert_eq!(ice.region_of_header("FR"), ice.region("eu"));
    for unknown in ["", "US", "mars"] {
        assert_eq!(ice.region(unknown), None, "{unknown}");
    }
    assert_eq!(ice.region_of_header("de"), None);
    assert_eq!(ice.name(Region::default()), None);
}

#[test]
fn a_new_secret_of_a_region_signs_its_next_credentials_also_those_of_clones() {
    let with_secret = |secret: &str| {
        let mut us = region("us", &[]);
        us.servers.turn_secret = Some(Secret::new(secret));
        IceServers::new(IceConfig {
            servers: full(),
            regions: vec![region("eu", &[]), us],
        })
        .unwrap()
    };
    let (old, new) = (with_secret("old"), with_secret("new"));
    let clone = old.clone();
    let credential = |ice: &IceServers, region: &str| {
        let servers = ice.ice_servers(ice.region(region).unwrap(), &alice(), NOW);
        servers[1].credential.clone().unwrap().expose().to_owned()
    };
    assert_ne!(credential(&old, "us"), credential(&new, "us"));
    let eu = credential(&clone, "eu");
    old.use_secrets_of(&new);
    assert_eq!(credential(&clone, "us"), credential(&new, "us"));
    assert_eq!(credential(&clone, "eu"), eu);
}

#[test]
fn regions_that_look_alike_or_have_no_server_are_refused() {
    let without_turn = IceRegionConfig {
        servers: IceServersConfig::default(),
        ..region("eu", &[])
    };
    let without_secret = IceRegionConfig {
        servers: IceServersConfig {
            turn_secret: None,
            ..full()
        },
        ..region("eu", &[])
    };
    let many: Vec<String> = (0..257).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (regions, words) in [
        (vec![region("", &[])], "ice.regions[0].name: the name is empty"),
        (
            vec![region("eu", &[]), region("e u", &[])],
            "ice.regions[1].name: the name has a character",
        ),
        (
            vec![region("eu", &[]), region("eu", &[])],
            "ice.regions[1].name: another region has the name `eu`",
        ),
        (
            vec![region("eu", &["DE"]), region("us", &["DE"])],
            "ice.regions[1].header_values: \"DE\" is there twice",
        ),
        (vec![region("eu", &["D E"])], "visible ASCII"),
        (vec![region("eu", &[""])], "1 to 128 bytes"),
        (vec![region("eu", &many)], "257 values, at most 256"),
        (vec![without_turn], "ice.regions[0].turn_urls: is empty"),
        (vec![without_secret], "ice.regions[0].turn_secret_file is not"),
        (vec![region("eu", &[]); 65], "65 regions, at most 64"),
    ] {
        let servers = full();
        let refusal = IceServers::new(IceConfig { servers, regions }).unwrap_err();
        assert!(refusal.to_string().contains(words), "{refusal}");
    }
    let nowhere = IceConfig {
        servers: IceServersConfig::default(),
        regions: vec![region("eu", &[])],
    };
    let refusal = IceServers::new(nowhere).unwrap_err();
    assert!(
        refusal.to_string().starts_with("ice.turn_urls: is empty"),
        "{refusal}"
    );
}
