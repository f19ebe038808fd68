//! A Redis as a child process: it answers, asks for its password, and comes back empty at the same address.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use switchboard_harness::{RedisOptions, RedisServer, find_program, or_skip, resp};

#[tokio::test]
async fn a_killed_redis_comes_back_empty_at_its_address() {
    if or_skip(find_program("redis-server")).is_none() {
        return;
    }
    let redis = RedisServer::start().await.unwrap();
    let url = redis.url();
    let _: String = redis.command(&["SET", "key", "41"]).await.unwrap();
    assert_eq!(redis.command::<u64>(&["INCR", "key"]).await.unwrap(), 42);
    assert_eq!(redis.command::<u64>(&["GET", "key"]).await.unwrap(), 42);
    assert_eq!(
        redis.command::<Vec<String>>(&["KEYS", "*"]).await.unwrap(),
        ["key"]
    );
    let error = redis.command::<String>(&["GET"]).await.unwrap_err().to_string();
    assert!(error.contains("wrong number of arguments"), "{error}");

    redis.kill().await.unwrap();
    assert!(redis.command::<u64>(&["DBSIZE"]).await.is_err());
    redis.restart().await.unwrap();
    assert_eq!(redis.url(), url);
    assert_eq!(redis.command::<u64>(&["DBSIZE"]).await.unwrap(), 0);
    redis.restart().await.unwrap();
    assert!(redis.pid().is_some());
}

#[tokio::test]
async fn a_redis_with_a_password_answers_those_who_know_it() {
    if or_skip(find_program("redis-server")).is_none() {
        return;
    }
    let options = RedisOptions {
        password: Some("sesame".to_owned()),
        ..RedisOptions::default()
    };
    let redis = RedisServer::start_with(options).await.unwrap();
    assert_eq!(redis.command::<u64>(&["DBSIZE"]).await.unwrap(), 0);
    let refused = resp::call(redis.port(), None, &["DBSIZE"]).await.unwrap();
    assert!(
        matches!(&refused, resp::Reply::Error(error) if error.starts_with("NOAUTH")),
        "{refused:?}"
    );
    assert!(
        resp::call(redis.port(), Some("swordfish"), &["DBSIZE"])
            .await
            .is_err()
    );
}
