//! Steady load: pairs of clients that start on different nodes and send to each other at an even rate, whether
//! or not words come back (open loop). What they see goes to the oracle; the judgement is not made here.

mod speaker;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{ClientNo, Oracle, PATIENCE, Verdict, wait_until};

pub use speaker::Speaker;

/// What is to be sent.
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
    speakers: Vec<JoinHandle<anyhow::Result<Speaker>>>,
    sending: watch::Sender<bool>,
}

impl Load {
    /// Connects everybody, the two of a pair to different ones of `urls`, and begins to send.
    ///
    /// # Errors
    /// When somebody cannot connect in time.
    pub async fn start(plan: LoadPlan, oracle: &Arc<Oracle>, urls: &[String]) -> anyhow::Result<Self> {
        let mut speakers = Vec::with_capacity(plan.pairs * 2);
        for pair in 0..plan.pairs {
            for (side, name) in ["a", "b"].into_iter().enumerate() {
                let mut urls = urls.to_vec();
                let first = (pair + side) % urls.len().max(1);
                urls.rotate_left(first);
                let urls = ways(urls, pair / 3 + side);
                speakers.push(Speaker::start(oracle, &format!("{name}{pair}"), urls));
            }
        }
        let count = speakers.len();
        let connected = async || (oracle.connected() >= count).then_some(());
        let (_, took) = wait_until("everybody is connected", PATIENCE, connected).await?;
        println!("{count} clients connected after {took:?}");
        let (sending, _) = watch::channel(true);
        let numbers = speakers.iter().map(|one| one.number).collect();
        let others: Vec<_> = speakers
            .iter()
            .map(|one| (one.number, one.name().to_owned()))
            .collect();
        let begin = Instant::now();
        let step = plan.every / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let tasks = speakers
            .into_iter()
            .enumerate()
            .zip((0..).map(|index| begin + step * index));
        let tasks = tasks.filter_map(|((index, speaker), first)| {
            // The two of a pair stand side by side.
            let (to, name) = others.get(index ^ 1)?.clone();
            Some(tokio::spawn(talk(
                speaker,
                to,
                name,
                (first, plan.every),
                sending.subscribe(),
            )))
        });
        Ok(Self {
            oracle: Arc::clone(oracle),
            numbers,
            speakers: tasks.collect(),
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

    /// Ends the sending, waits for the words that are missing, and judges.
    ///
    /// # Errors
    /// When a session ended by itself.
    pub async fn stop(self) -> anyhow::Result<Verdict> {
        self.oracle.load_ended();
        self.sending.send_replace(false);
        let mut speakers = Vec::with_capacity(self.speakers.len());
        let mut failed = Ok(());
        for speaker in self.speakers {
            match speaker.await? {
                Ok(speaker) => speakers.push(speaker),
                Err(error) => failed = Err(error),
            }
        }
        self.oracle.settle().await;
        // A session that ended shows in the verdict too; its story is worth more than the error.
        let verdict = self.oracle.judge();
        if failed.is_err() {
            println!("{verdict}{}", verdict.stories());
        }
        failed.map(|()| verdict)
    }
}

/// The same first URL, the others in this order or that, so that clients that lose the same node part.
fn ways(mut urls: Vec<String>, way: usize) -> Vec<String> {
    if way % 2 == 1
        && let Some((_, others)) = urls.split_first_mut()
    {
        others.reverse();
    }
    urls
}

async fn talk(
    mut speaker: Speaker,
    to: ClientNo,
    name: String,
    (first, every): (Instant, Duration),
    mut sending: watch::Receiver<bool>,
) -> anyhow::Result<Speaker> {
    let mut ticks = interval_at(first, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = ticks.tick() => { speaker.send(to, &name, 0).await?; }
            changed = sending.changed() => {
                if changed.is_err() || !*sending.borrow() {
                    return Ok(speaker);
                }
            }
        }
    }
}
