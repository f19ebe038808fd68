//! Configurations that can work, and others.

use switchboard_protocol::Secret;

use super::*;
use crate::redis::tls::RedisTlsError;

fn endpoint(url: &str) -> Endpoint {
    let mut endpoints = RedisConfig::new(url).endpoints().unwrap();
    endpoints.remove(0)
}

#[test]
fn a_url_gives_host_port_database_and_credentials() {
    let endpoint = endpoint("redis://switch:p%40ss@redis.internal:7000/3");
    assert_eq!(
        (endpoint.shown().as_str(), endpoint.database),
        ("redis.internal:7000", 3)
    );
    let access = endpoint.access();
    assert_eq!(access.username.as_deref(), Some("switch"));
    assert_eq!(access.password, Some(Secret::new("p@ss")));
    assert!(access.tls.is_none());
}

#[test]
fn credentials_change_for_all_clones_and_another_server_is_noticed() {
    let (own, next) = (
        endpoint("redis://:old@host:7000/3"),
        endpoint("redis://ann:new@host:7000/3"),
    );
    let clone = own.clone();
    assert!(own.is_same_server(&next));
    own.set_access(&next);
    assert_eq!(clone.access().password, Some(Secret::new("new")));
    for other in [
        "redis://:x@host:7001/3",
        "redis://:x@other:7000/3",
        "redis://:x@host:7000/4",
    ] {
        assert!(!own.is_same_server(&endpoint(other)), "{other}");
    }
}

#[test]
fn a_single_server_has_one_url_and_other_modes_at_least_one() {
    let refused = |mode, urls: &[&str]| {
        let urls = urls.iter().map(|url| Secret::new(*url)).collect();
        let config = RedisConfig {
            mode,
            urls,
            ..RedisConfig::new("")
        };
        config.check().err()
    };
    let (one, two) = (&["redis://a"][..], &["redis://a", "redis://b"][..]);
    assert_eq!(refused(RedisMode::Standalone, one), None);
    assert_eq!(refused(RedisMode::Sharded, two), None);
    let count = RedisConfigError::UrlCount("exactly one URL");
    assert_eq!(refused(RedisMode::Standalone, two), Some(count));
    let count = RedisConfigError::UrlCount("one URL or more");
    assert_eq!(refused(RedisMode::Cluster, &[]), Some(count));
}

#[test]
fn unsupported_urls_are_refused_with_the_fix() {
    let refused = |url: &str| RedisConfig::new(url).check().unwrap_err();
    assert_eq!(refused("unix:///run/redis.sock"), RedisConfigError::Unix);
    assert!(matches!(refused("http://host"), RedisConfigError::Url(_)));
    assert!(matches!(refused("redis://host/zero"), RedisConfigError::Url(_)));
}

#[test]
fn a_database_and_a_prefix_are_part_of_every_name() {
    let names = |url: &str, prefix: &str| {
        let config = RedisConfig {
            key_prefix: prefix.to_owned(),
            ..RedisConfig::new(url)
        };
        config.endpoints().map(|endpoints| endpoints[0].names.clone())
    };
    assert_eq!(names("redis://host", "sb").unwrap(), Names::default());
    assert_eq!(names("redis://host/0", "sb").unwrap(), Names::default());
    assert_eq!(names("redis://host/3", "a").unwrap(), Names::new("a", 3));
    for prefix in ["", "a@b", "a:b", "a{b}", &"x".repeat(33)] {
        assert_eq!(
            names("redis://host", prefix).unwrap_err(),
            RedisConfigError::KeyPrefix
        );
    }
}

#[test]
fn a_password_that_breaks_the_url_leads_to_percent_encoding() {
    for password in ["a/b", "a#b", "a?b"] {
        let refused = RedisConfig::new(format!("redis://:{password}@host:6379")).check();
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("percent-encode") && !text.contains(password),
            "{text}"
        );
    }
    let endpoint = endpoint("redis://:a%2Fb%23c%3Fd@host");
    assert_eq!(endpoint.access().password, Some(Secret::new("a/b#c?d")));
}

#[test]
fn no_error_and_no_debug_output_shows_the_password() {
    let config = RedisConfig::new("redis://:hunter2@host/hunter2?protocol=hunter2");
    let shown = format!("{config:?} {:?} {}", config.check(), config.check().unwrap_err());
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// A configuration with these URLs, changed by `change`.
fn checked(urls: &[&str], change: impl FnOnce(&mut RedisConfig)) -> Result<Vec<Endpoint>, RedisConfigError> {
    let mut config = RedisConfig {
        urls: urls.iter().map(|url| Secret::new(*url)).collect(),
        ..RedisConfig::new("")
    };
    change(&mut config);
    config.endpoints()
}

fn of(username: Option<&str>, password: &str) -> RedisCredentials {
    RedisCredentials {
        username: username.map(str::to_owned),
        password: Some(Secret::new(password)),
    }
}

#[test]
fn a_url_may_name_valkey_and_ask_for_tls() {
    for (url, is_tls) in [
        ("valkey://host", false),
        ("valkeys://host", true),
        ("rediss://host", true),
    ] {
        let endpoint = endpoint(url);
        assert_eq!(endpoint.shown(), "host:6379");
        assert_eq!(endpoint.access().tls.is_some(), is_tls, "{url}");
    }
}

#[test]
fn a_user_from_a_file_is_for_every_url_without_one() {
    let urls = ["redis://a", "redis://b"];
    let all = |config: &mut RedisConfig| {
        config.mode = RedisMode::Sharded;
        config.credentials = of(Some("ann"), "a/b#c?d@e:f%");
    };
    for endpoint in checked(&urls, all).unwrap() {
        let access = endpoint.access();
        assert_eq!(access.username.as_deref(), Some("ann"));
        assert_eq!(access.password, Some(Secret::new("a/b#c?d@e:f%")));
    }
    let both = checked(&["redis://:own@a", "redis://b"], all);
    assert_eq!(both.unwrap_err(), RedisConfigError::TwoPasswords);
    let nobody = checked(&["redis://ann@a"], |_| {});
    assert_eq!(nobody.unwrap_err(), RedisConfigError::NoPassword);
}

#[test]
fn sentinels_have_their_own_user_and_name_the_server() {
    let sentinels = |config: &mut RedisConfig| {
        config.mode = RedisMode::Sentinel;
        config.sentinel_master = "mymaster".to_owned();
        config.credentials = of(None, "data");
    };
    let endpoints = checked(&["redis://:watch@a:26379/3", "redis://b:26379"], sentinels).unwrap();
    let kinds = [Kind::Master, Kind::Sentinel, Kind::Sentinel];
    assert_eq!(
        endpoints.iter().map(|endpoint| endpoint.kind).collect::<Vec<_>>(),
        kinds
    );
    let password = |index: usize| endpoints[index].access().password.clone();
    assert_eq!(password(0), Some(Secret::new("data")));
    assert_eq!((password(1), password(2)), (Some(Secret::new("watch")), None));
    assert_eq!(
        (endpoints[0].database, &endpoints[0].names),
        (3, &Names::new("sb", 3))
    );
    let nameless = checked(&["redis://a"], |config| config.mode = RedisMode::Sentinel);
    assert!(nameless.unwrap_err().to_string().contains("mymaster"));
    let misplaced = checked(&["redis://a"], |config| config.sentinel_master = "m".to_owned());
    assert!(misplaced.unwrap_err().to_string().contains("sentinel"));
}

#[test]
fn what_cannot_work_together_is_refused() {
    let sharded = |config: &mut RedisConfig| config.mode = RedisMode::Sharded;
    let mixed = checked(&["redis://a", "rediss://b"], sharded);
    assert_eq!(mixed.unwrap_err(), RedisConfigError::MixedTls);
    let unused = checked(&["redis://a"], |config| {
        config.tls.authorities = Some(String::new());
    });
    assert_eq!(unused.unwrap_err(), RedisConfigError::UnusedTls);
    let none = checked(&["rediss://a"], |config| {
        config.tls.authorities = Some(String::new());
    });
    assert_eq!(
        none.unwrap_err(),
        RedisConfigError::Tls(RedisTlsError::Authorities)
    );
    let database = checked(&["redis://a/1"], |config| config.mode = RedisMode::Cluster);
    assert_eq!(database.unwrap_err(), RedisConfigError::Database);
}
