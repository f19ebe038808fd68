//! Replies of `HELLO` as servers give them.

use super::*;

fn reply(server: &str, version: &str, mode: &str, role: &str) -> Vec<String> {
    let words = [
        "server", server, "version", version, "proto", "2", "id", "5", "mode", mode, "role", role, "modules",
    ];
    words.map(str::to_owned).to_vec()
}

#[test]
fn a_master_of_a_version_that_works_is_used() {
    for (server, version) in [
        ("redis", "7.0.15"),
        ("redis", "8.2.0"),
        ("valkey", "7.2.4"),
        ("valkey", "9.1.0"),
    ] {
        for (wanted, mode) in [
            (Kind::Master, "standalone"),
            (Kind::ClusterMaster, "cluster"),
            (Kind::ClusterMember, "cluster"),
            (Kind::Sentinel, "sentinel"),
        ] {
            let release = Ok(format!("{server} {version}"));
            assert_eq!(check(&reply(server, version, mode, "master"), wanted), release);
        }
    }
    let sentinel = reply("redis", "7.0.15", "sentinel", "");
    assert!(check(&sentinel[..10], Kind::Sentinel).is_ok());
    let replica = reply("redis", "7.0.15", "cluster", "replica");
    assert!(check(&replica, Kind::ClusterMember).is_ok());
}

#[test]
fn a_server_that_must_not_be_used_is_refused_with_the_fix() {
    let master = |version, mode| reply("redis", version, mode, "master");
    for (reply, wanted, fix) in [
        (
            master("6.2.14", "standalone"),
            Kind::Master,
            "is redis 6.2.14; nodes need Redis 7.0",
        ),
        (
            master("x", "standalone"),
            Kind::Master,
            "is redis x; nodes need Redis 7.0",
        ),
        (
            master("7.0.0", "cluster"),
            Kind::Master,
            "redis_mode = \"cluster\"",
        ),
        (
            master("7.0.0", "sentinel"),
            Kind::Master,
            "redis_mode = \"sentinel\"",
        ),
        (
            master("7.0.0", "sentinel"),
            Kind::ClusterMember,
            "redis_mode = \"sentinel\"",
        ),
        (
            master("7.0.0", "standalone"),
            Kind::ClusterMember,
            "redis_mode = \"standalone\"",
        ),
        (
            master("7.0.0", "standalone"),
            Kind::Sentinel,
            "names the Sentinels",
        ),
        (
            reply("redis", "7.0.0", "standalone", "replica"),
            Kind::Master,
            "is a replica",
        ),
        (
            reply("redis", "7.0.0", "cluster", "replica"),
            Kind::ClusterMaster,
            "is a replica",
        ),
        (vec!["OK".to_owned()], Kind::Master, "is no Redis"),
    ] {
        let refused = check(&reply, wanted).unwrap_err();
        assert!(refused.contains(fix), "{refused}");
    }
}

#[test]
fn an_error_is_explained() {
    for (text, words) in [
        (
            "ERR unknown command `HELLO`, with args beginning with: `2`",
            "older than 6.0",
        ),
        (
            "WRONGPASS invalid username-password pair",
            "the user or the password is wrong",
        ),
        (
            "NOAUTH HELLO must be called with the client already authenticated",
            "it asks for a password",
        ),
        ("ERR max number of clients reached", "maxclients"),
    ] {
        assert!(refused(text).contains(words), "{}", refused(text));
    }
}

#[tokio::test]
async fn what_comes_after_the_reply_stays_for_the_next_question() {
    let (near, mut far) = tokio::io::duplex(1_000);
    far.write_all(b"+OK\r\n>2\r\n+one\r\n+two\r\n").await.unwrap();
    let mut conversation = Conversation::new(near);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(conversation.receive().await, Ok(Reply::Words(words(&["OK"]))));
    assert_eq!(
        conversation.receive().await,
        Ok(Reply::Push(words(&["one", "two"])))
    );
    drop(far);
    assert!(conversation.receive().await.unwrap_err().contains("closed"));
}
