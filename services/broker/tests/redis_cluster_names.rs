//! A Redis Cluster whose masters announce names, with TLS, certificates of clients, users and passwords: nodes reach every master
//! by its name, also one that a slot moves to.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{cluster::place_of, configured_node, key, until};
use switchboard_broker::{RedisConfig, RedisCredentials, RedisMode, RedisTls};
use switchboard_harness::{
    DeploymentOptions, PATIENCE, RedisDeployment, RedisLayout, RedisOptions, RedisTls as ServerTls,
    find_program, or_skip,
};
use switchboard_protocol::Secret;

/// The name that all masters announce; each has a port of its own.
const NAME: &str = "localhost";

/// Their certificate has the name and no address, so a connection by address is refused.
async fn masters_with_names(tls: &ServerTls) -> RedisDeployment {
    let announced = [
        "--cluster-announce-hostname",
        NAME,
        "--cluster-preferred-endpoint-type",
        "hostname",
    ];
    let server = RedisOptions {
        tls: Some(tls.clone()),
        password: Some("of-the-servers".to_owned()),
        users: vec![
            "user default on >of-the-servers ~* &* +@all".to_owned(),
            "user switchboard on >of-the-nodes ~sb:* &sb:* +@all".to_owned(),
        ],
        arguments: announced.map(str::to_owned).into(),
        ..RedisOptions::default()
    };
    let (masters, replicas) = (3, 0);
    let options = DeploymentOptions {
        server,
        ..DeploymentOptions::default()
    };
    RedisDeployment::start_with(RedisLayout::Cluster { masters, replicas }, options)
        .await
        .unwrap()
}

#[tokio::test]
async fn masters_that_announce_names_are_reached_by_them_with_tls_a_certificate_and_a_password() {
    if or_skip(find_program("redis-server")).is_none() {
        return;
    }
    let tls = ServerTls::mutual_named(&[NAME]).unwrap();
    let redis = masters_with_names(&tls).await;
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let client = tls.client().unwrap();
    // One server is named; the others are found through it.
    let first = format!("rediss://{NAME}:{}", redis.servers()[0].shared_port());
    let config = RedisConfig {
        mode: RedisMode::Cluster,
        credentials: RedisCredentials {
            username: Some("switchboard".to_owned()),
            password: Some(Secret::new("of-the-nodes")),
        },
        tls: RedisTls {
            authorities: Some(read(&tls.ca_file())),
            client: Some((read(&client.certificate), Secret::new(read(&client.key)))),
        },
        ..RedisConfig::new(first)
    };
    let (n1, n2) = (configured_node("n1", &config), configured_node("n2", &config));
    n1.is_up().await;
    n2.is_up().await;
    let peers: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    for (number, peer) in (1..).zip(&peers) {
        assert!(n2.attach(peer, number).await.confirmed);
    }
    let all_hear = async |text: &str| {
        for peer in &peers {
            let receives = async || (n1.publish(peer, text.as_bytes()).await == Ok(1)).then_some(());
            switchboard_harness::wait_until("the peer hears", PATIENCE, receives)
                .await
                .unwrap();
        }
        until("all messages came", PATIENCE, || {
            n2.received(text.as_bytes()) >= peers.len()
        })
        .await;
    };
    all_hear("first").await;
    let text = n1.telemetry.render().unwrap();
    for master in redis.servers() {
        let up = format!(
            "switchboard_bus_up{{shard=\"{NAME}:{}\"}} 1",
            master.shared_port()
        );
        assert!(text.contains(&up), "{text}");
    }
    // A slot that is half moved: the node is sent to the other master by its name.
    let records: Vec<String> = {
        let mut found = Vec::new();
        for master in redis.servers() {
            found.extend(
                master
                    .command::<Vec<String>>(&["KEYS", "sb:*:s:acme/p0"])
                    .await
                    .unwrap(),
            );
        }
        found
    };
    let (slot, from, to) = place_of(&redis, &records[0]).await;
    redis.begin_move(slot, from, to).await.unwrap();
    assert!(n1.locate("p0").await.is_ok());
    redis.end_move(slot, from, to).await.unwrap();
    all_hear("second").await;
    assert!(
        n1.broker
            .attach(&key("p0"), common::claim(50))
            .await
            .unwrap()
            .confirmed
    );
}
