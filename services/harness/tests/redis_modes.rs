//! Redis in every mode: its servers form what the mode is, and change their roles as they are asked to.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::{Duration, Instant};

use switchboard_harness::{
    DeploymentOptions, PATIENCE, RedisDeployment, RedisLayout, RedisOptions, RedisServer, RedisTls,
    find_program, find_redis, or_skip, resp::Reply, wait_until,
};

async fn start(layout: &str, options: DeploymentOptions) -> Option<RedisDeployment> {
    or_skip(find_program("redis-server"))?;
    let begin = Instant::now();
    let deployment = RedisDeployment::start_with(layout.parse().unwrap(), options)
        .await
        .unwrap();
    println!("{layout} after {:?}", begin.elapsed());
    Some(deployment)
}

/// The number of servers that are masters.
async fn masters(deployment: &RedisDeployment) -> usize {
    deployment.masters().await.len()
}

#[tokio::test]
async fn each_mode_has_its_servers_and_ends_with_its_owner() {
    for (layout, servers, sentinels, number) in [
        ("standalone", 1, 0, 1),
        ("sentinel:2", 3, 3, 1),
        ("cluster:3+3", 6, 0, 3),
        ("sharded:3", 3, 0, 3),
    ] {
        let Some(deployment) = start(layout, DeploymentOptions::default()).await else {
            return;
        };
        let found = (
            deployment.servers().len(),
            deployment.sentinels().len(),
            masters(&deployment).await,
        );
        assert_eq!(found, (servers, sentinels, number), "{layout}");
        assert!(deployment.broker_toml().contains(deployment.layout().mode()));
        assert_eq!(
            deployment.urls().len(),
            if sentinels > 0 { sentinels } else { servers }
        );
        let pids: Vec<_> = deployment
            .processes()
            .filter_map(|process| process.pid())
            .collect();
        assert_eq!(pids.len(), servers + sentinels);
        drop(deployment);
        for pid in pids {
            assert!(
                !std::path::Path::new(&format!("/proc/{pid}")).exists(),
                "{layout}"
            );
        }
    }
}

#[tokio::test]
async fn a_killed_master_of_sentinels_is_replaced() {
    let Some(deployment) = start("sentinel", DeploymentOptions::default()).await else {
        return;
    };
    let [master, replica] = deployment.servers() else {
        panic!("two servers")
    };
    assert_eq!(
        deployment.named_master().await.unwrap().unwrap().port(),
        master.port()
    );
    let begin = Instant::now();
    master.kill().await.unwrap();
    assert_eq!(deployment.until_replaced(&[1]).await.unwrap(), 1);
    println!("replaced after {:?}", begin.elapsed());
    let named = async || {
        let named = deployment.named_master().await.ok()??;
        (named.port() == replica.port()).then_some(())
    };
    wait_until("the Sentinels name it", PATIENCE, named)
        .await
        .unwrap();
}

#[tokio::test]
async fn sentinels_fail_over_as_asked() {
    let Some(deployment) = start("sentinel", DeploymentOptions::default()).await else {
        return;
    };
    // Sentinels refuse until they know the replica.
    let over = async || deployment.failover().await.ok();
    let (roles, took) = wait_until("the replica is the master", Duration::from_secs(60), over)
        .await
        .unwrap();
    println!("it took {took:?}");
    assert_eq!(roles, (0, 1));
    assert_eq!(deployment.replicas_of(1).await, [0], "the old master follows");
}

#[tokio::test]
async fn a_cluster_fails_over_as_asked_and_moves_slots_with_their_keys() {
    let Some(deployment) = start("cluster:3+3", DeploymentOptions::default()).await else {
        return;
    };
    let mut slots = deployment.slots().await.unwrap();
    slots.sort_by_key(|(server, _)| server.name().to_owned());
    let counts: Vec<_> = slots.iter().map(|(_, slots)| slots.len()).collect();
    assert_eq!(counts, [5461, 5461, 5462]);

    let (old, new) = deployment.failover().await.unwrap();
    assert_eq!((old, new), (0, 3), "the first replica follows the first master");
    assert_eq!(masters(&deployment).await, 3);

    // Slot 12182 is that of "foo", of the third master, which has one slot more than the others.
    let of = |number: usize| &deployment.servers()[number];
    for key in ["{foo}1", "{foo}2"] {
        of(2).command::<String>(&["SET", key, "value"]).await.unwrap();
    }
    let begin = Instant::now();
    let moved = deployment.reshard(100).await.unwrap();
    println!("100 slots moved in {:?}", begin.elapsed());
    assert_eq!((moved.len(), moved[0]), (100, 12182), "the one with keys first");
    let slots = deployment.slots().await.unwrap();
    let owner = slots.iter().find(|(_, slots)| slots.contains(&12182)).unwrap().0;
    assert_eq!(
        owner.command::<String>(&["GET", "{foo}2"]).await.unwrap(),
        "value"
    );
    let asked = of(2)
        .command::<String>(&["GET", "{foo}1"])
        .await
        .unwrap_err()
        .to_string();
    assert!(asked.contains("MOVED 12182"), "{asked}");
}

#[tokio::test]
async fn a_killed_master_of_a_cluster_is_replaced_by_its_replica() {
    let Some(deployment) = start("cluster:3+3", DeploymentOptions::default()).await else {
        return;
    };
    let replicas = deployment.replicas_of(1).await;
    assert_eq!(replicas, [4]);
    let begin = Instant::now();
    deployment.servers()[1].kill().await.unwrap();
    assert_eq!(deployment.until_replaced(&replicas).await.unwrap(), 4);
    println!("replaced after {:?}", begin.elapsed());
    deployment.servers()[1].restart().await.unwrap();
    let follows = async || (deployment.replicas_of(4).await == [1]).then_some(());
    wait_until("the old master follows", PATIENCE, follows)
        .await
        .unwrap();
}

#[tokio::test]
async fn every_mode_serves_tls_with_certificates_of_its_own_authority() {
    for layout in RedisLayout::ALL {
        let server = RedisOptions {
            tls: Some(RedisTls::mutual().unwrap()),
            password: Some("sesame".to_owned()),
            ..RedisOptions::default()
        };
        let options = DeploymentOptions {
            server,
            sentinel_password: Some("open".to_owned()),
            ..DeploymentOptions::default()
        };
        let Some(deployment) = start(&layout.to_string(), options).await else {
            return;
        };
        let toml = deployment.broker_toml();
        for key in ["rediss://", "redis_ca_file", "redis_cert_file", "redis_key_file"] {
            assert!(toml.contains(key), "{toml}");
        }
        let tls = deployment.options().server.tls.clone().unwrap();
        let client = tls.client().unwrap();
        let port = deployment.shared_port().to_string();
        let mut cli = tokio::process::Command::new("redis-cli");
        cli.args([
            "--tls",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "--no-auth-warning",
            "-a",
            "sesame",
            "PING",
        ]);
        cli.arg("--cacert").arg(tls.ca_file());
        let without = cli.output().await.unwrap();
        assert_ne!(
            without.stdout, b"PONG\n",
            "{layout}: a client without a certificate"
        );
        let mut words: Vec<_> = ["--tls", "-h", "127.0.0.1", "-p", &port]
            .map(std::ffi::OsString::from)
            .into();
        words.extend(["--cacert".into(), tls.ca_file().into()]);
        words.extend([
            "--cert".into(),
            client.certificate.clone().into(),
            "--key".into(),
            client.key.clone().into(),
        ]);
        words.extend(["--no-auth-warning", "-a", "sesame", "PING"].map(Into::into));
        let with = tokio::process::Command::new("redis-cli")
            .args(words)
            .output()
            .await
            .unwrap();
        assert_eq!(with.stdout, b"PONG\n", "{layout}: {with:?}");
        if !matches!(layout, RedisLayout::Standalone | RedisLayout::Sharded { .. }) {
            deployment.failover().await.unwrap();
        }
        if matches!(layout, RedisLayout::Cluster { .. }) {
            deployment.reshard(2).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_paused_redis_answers_later_and_an_acl_file_adds_users() {
    let server = RedisOptions {
        users: vec!["user ann on >word ~sb:* &sb:* -@all +ping".to_owned()],
        ..RedisOptions::default()
    };
    let options = DeploymentOptions {
        server,
        ..DeploymentOptions::default()
    };
    let Some(deployment) = start("sharded:2", options).await else {
        return;
    };
    let pause = Duration::from_millis(300);
    deployment.pause(pause).await.unwrap();
    let begin = Instant::now();
    assert_eq!(deployment.command::<u64>(&["DBSIZE"]).await.unwrap(), 0);
    assert!(begin.elapsed() > pause / 2, "{:?}", begin.elapsed());
    let mut connection = deployment.servers()[1].connect().await.unwrap();
    connection.ask::<String>(&["AUTH", "ann", "word"]).await.unwrap();
    connection.ask::<String>(&["PING"]).await.unwrap();
    let refused = connection.call(&["DBSIZE"]).await.unwrap();
    assert!(
        matches!(&refused, Reply::Error(error) if error.starts_with("NOPERM")),
        "{refused:?}"
    );
    assert_eq!(deployment.kill_pubsub().await.unwrap(), 0);
    deployment.flush().await.unwrap();
}

#[tokio::test]
async fn other_releases_start_too() {
    for release in ["redis-6.2", "redis-8.2", "valkey-8.1", "valkey-9.1"] {
        let Some(program) = or_skip(find_redis(release)) else {
            continue;
        };
        let options = RedisOptions {
            program: Some(program),
            ..RedisOptions::default()
        };
        let server = RedisServer::start_with(options).await.unwrap();
        let info: String = server.command(&["INFO", "server"]).await.unwrap();
        let names = ["redis_version:", "valkey_version:"];
        let line = info
            .lines()
            .rfind(|line| names.iter().any(|name| line.starts_with(name)))
            .unwrap();
        println!("{release}: {line}");
        assert!(line.contains(&release[release.len() - 3..]), "{line}");
    }
}
