//! Steady load: pairs of clients that start on different nodes and send to each other at an even rate, whether or not
//! outcomes come back (open loop). The oracle records what they see and reports on it.

mod peer;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

use switchboard_harness::{ClientNo, Oracle, OracleReport, PATIENCE, wait_until};

pub use peer::TestPeer;

/// The load to make.
#[derive(Debug, Clone, Copy)]
pub struct LoadPlan {
    /// Pairs; each has two clients.
    pub pairs: usize,
    /// The time between two sends of one client.
    pub every: Duration,
}

/// A running load. Dropping it drops all connections.
#[derive(Debug)]
pub struct Load {
    oracle: Arc<Oracle>,
    /// Of all clients, the two of a pair side by side.
    numbers: Vec<ClientNo>,
    peers: Vec<JoinHandle<anyhow::Result<TestPeer>>>,
    sending: watch::Sender<bool>,
}

impl Load {
    /// Connects all peers, the two of a pair to different ones of `urls`, and begins to send.
    ///
    /// # Errors
    /// When one cannot connect in time.
    pub async fn start(plan: LoadPlan, oracle: &Arc<Oracle>, urls: &[String]) -> anyhow::Result<Self> {
        let mut peers = Vec::with_capacity(plan.pairs * 2);
        for pair in 0..plan.pairs {
            for (side, name) in ["a", "b"].into_iter().enumerate() {
                let mut urls = urls.to_vec();
                let first = (pair + side) % urls.len().max(1);
                urls.rotate_left(first);
                let urls = failover_order(urls, pair / 3 + side);
                peers.push(TestPeer::start(oracle, &format!("{name}{pair}"), urls));
            }
        }
        let count = peers.len();
        let connected = async || (oracle.connected() >= count).then_some(());
        let (_, took) = wait_until("all peers are connected", PATIENCE, connected).await?;
        println!("{count} clients connected after {took:?}");
        let (sending, _) = watch::channel(true);
        let numbers = peers.iter().map(|one| one.number).collect();
        let others: Vec<_> = peers
            .iter()
            .map(|one| (one.number, one.name().to_owned()))
            .collect();
        let begin = Instant::now();
        let step = plan.every / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let tasks = peers
            .into_iter()
            .enumerate()
            .zip((0..).map(|index| begin + step * index));
        let tasks = tasks.filter_map(|((index, peer), first)| {
            // The two of a pair stand side by side.
            let (to, name) = others.get(index ^ 1)?.clone();
            Some(tokio::spawn(send_steadily(
                peer,
                to,
                name,
                (first, plan.every),
                sending.subscribe(),
            )))
        });
        Ok(Self {
            oracle: Arc::clone(oracle),
            numbers,
            peers: tasks.collect(),
            sending,
        })
    }

    /// Pairs whose two are on different nodes now.
    #[must_use]
    pub fn pairs_across(&self) -> usize {
        let nodes = self
            .numbers
            .chunks(2)
            .map(|pair| pair.iter().map(|one| self.oracle.node_of(*one)));
        let mut nodes = nodes.map(|mut pair| (pair.next().flatten(), pair.next().flatten()));
        nodes
            .by_ref()
            .filter(|(a, b)| a.is_some() && b.is_some() && a != b)
            .count()
    }

    /// Clients that are connected to that node now.
    #[must_use]
    pub fn clients_on(&self, node: &str) -> usize {
        let nodes = self.numbers.iter().filter_map(|one| self.oracle.node_of(*one));
        nodes.filter(|on| on == node).count()
    }

    /// Ends the sending, waits for the missing outcomes, and returns the report.
    ///
    /// # Errors
    /// When a session ended by itself.
    pub async fn stop(self) -> anyhow::Result<OracleReport> {
        self.oracle.load_ended();
        self.sending.send_replace(false);
        let mut peers = Vec::with_capacity(self.peers.len());
        let mut failed = Ok(());
        for peer in self.peers {
            match peer.await? {
                Ok(peer) => peers.push(peer),
                Err(error) => failed = Err(error),
            }
        }
        self.oracle.settle().await;
        // A session that ended shows in the report too; its trace says more than the error.
        let report = self.oracle.report();
        if failed.is_err() {
            println!("{report}{}", report.traces());
        }
        failed.map(|()| report)
    }
}

/// The same first URL, the others in one of two orders: clients that lose the same node go to different ones.
fn failover_order(mut urls: Vec<String>, way: usize) -> Vec<String> {
    if way % 2 == 1
        && let Some((_, others)) = urls.split_first_mut()
    {
        others.reverse();
    }
    urls
}

async fn send_steadily(
    mut peer: TestPeer,
    to: ClientNo,
    name: String,
    (first, every): (Instant, Duration),
    mut sending: watch::Receiver<bool>,
) -> anyhow::Result<TestPeer> {
    let mut ticks = interval_at(first, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = ticks.tick() => { peer.send(to, &name, 0).await?; }
            changed = sending.changed() => {
                if changed.is_err() || !*sending.borrow() {
                    return Ok(peer);
                }
            }
        }
    }
}
