//! All faults at once, drawn at random from a seed that is printed: what no scenario that somebody thought of
//! would bring together. `SWITCHBOARD_SEED` repeats a draw; times are those of the machine, so not the whole run.

use std::time::Duration;

use switchboard_testkit::{Cluster, FaultProxy, Load, LoadPlan, Oracle};
use tokio::time::{Instant, sleep};

use crate::{QUICK_PINGS, alone, check_ok, draw, in_front_of, load_for, urls_of};

/// The usual draw.
const SEED: u64 = 0x5eed_0003;

/// The faults to draw from, in order; a draw ends with the cluster whole again.
const FAULTS: usize = 9;

/// A time drawn between `least` and `most`, in milliseconds.
fn some_ms(state: &mut u64, least: u64, most: u64) -> Duration {
    let drawn = u64::try_from(draw(state)).unwrap();
    Duration::from_millis(least + drawn % (most - least))
}

/// The node with the most clients: to strike it spreads them over the others.
fn fullest(cluster: &Cluster, load: &Load) -> usize {
    let nodes = 0..cluster.nodes.len();
    nodes
        .max_by_key(|index| load.clients_on(&format!("n{}", index + 1)))
        .unwrap()
}

async fn strike(
    (cluster, clients): (&Cluster, &[FaultProxy]),
    load: &Load,
    oracle: &Oracle,
    state: &mut u64,
) {
    let (fault, any) = (draw(state) % FAULTS, draw(state) % cluster.nodes.len());
    // What drives clients away strikes where most are.
    let which = if [0, 1, 7, 8].contains(&fault) {
        fullest(cluster, load)
    } else {
        any
    };
    let number = which + 1;
    match fault {
        0 => {
            oracle.fault(&format!("n{number} killed, started again"));
            cluster.nodes[which].kill().await.unwrap();
            sleep(some_ms(state, 0, 3000)).await;
            cluster.nodes[which].restart().await.unwrap();
        }
        1 => {
            let pause = some_ms(state, 200, 5000);
            oracle.fault(&format!("n{number} frozen for {pause:?}"));
            cluster.nodes[which].freeze().unwrap();
            sleep(pause).await;
            cluster.nodes[which].thaw().unwrap();
        }
        2 => {
            oracle.fault("Redis restarted, empty");
            cluster.redis.kill().await.unwrap();
            sleep(some_ms(state, 0, 1500)).await;
            cluster.redis.restart().await.unwrap();
        }
        3 => {
            oracle.fault(&format!("n{number}: ways to Redis cut"));
            cluster.proxies[which].cut_all();
        }
        4 => {
            let pause = some_ms(state, 200, 4000);
            oracle.fault(&format!("n{number}: ways to Redis frozen for {pause:?}"));
            cluster.proxies[which].freeze_all();
            sleep(pause).await;
            cluster.proxies[which].thaw_all();
        }
        5 => {
            oracle.fault(&format!("n{number}: its subscriber receives nothing"));
            for way in cluster.proxies[which]
                .connections()
                .iter()
                .filter(|way| way.subscribes)
            {
                cluster.proxies[which].freeze_towards_client(way.id);
            }
        }
        6 => {
            oracle.fault("Redis kills all connections");
            cluster
                .redis
                .command::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"])
                .await
                .unwrap();
            cluster
                .redis
                .command::<u64>(&["CLIENT", "KILL", "TYPE", "normal"])
                .await
                .unwrap();
        }
        7 => {
            oracle.fault(&format!("n{number}: clients cut"));
            clients[which].cut_all();
        }
        _ => {
            oracle.fault(&format!("n{number} stopped, started again"));
            cluster.nodes[which].terminate().unwrap();
            cluster.nodes[which]
                .wait_ended(switchboard_testkit::PATIENCE)
                .await
                .unwrap();
            cluster.nodes[which].restart().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_drawn_at_random_break_no_promise() {
    let _alone = alone().await;
    let long = std::env::var_os("SWITCHBOARD_LONG").is_some();
    let how_long = Duration::from_secs(if long { 120 } else { 16 });
    let seed = std::env::var("SWITCHBOARD_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(SEED);
    println!("SWITCHBOARD_SEED={seed}");
    let mut state = seed.max(1);
    let cluster = Cluster::start_proxied(3, QUICK_PINGS).await.unwrap();
    let clients = in_front_of(&cluster.nodes).await;
    let urls = urls_of(&clients);
    let oracle = Oracle::start();
    let plan = LoadPlan {
        pairs: 50,
        every: Duration::from_millis(250),
    };
    let load = Load::start(plan, &oracle, &urls).await.unwrap();
    let begin = Instant::now();
    while begin.elapsed() < how_long {
        strike((&cluster, &clients), &load, &oracle, &mut state).await;
        sleep(some_ms(&mut state, 100, 3000)).await;
    }
    oracle.fault(&format!(
        "no more faults ({} pairs across nodes)",
        load.pairs_across()
    ));
    load_for(6.0).await;
    check_ok(load, &oracle, &cluster).await;
}
