//! The servers of a sharded cluster at run time: starts their shards once it is known how many are in use, and uses more or fewer
//! when all nodes do. Not how nodes agree on that (`agreement`).

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    agreement::{self, Agreed},
    copy,
    map::{ServerMap, moving},
};
use crate::{
    partition::PartitionSet,
    redis::{
        endpoint::Endpoint,
        periods::SETTLE,
        shard::{starter::Starter, state::Shard},
        topology::table::{Routes, Topology},
    },
};

/// How often a node asks for the number of servers in use.
const EXCHANGE_EVERY: Duration = Duration::from_secs(1);

/// How often it asks while it does not know it.
const LEARN_EVERY: Duration = Duration::from_millis(500);

/// A node without an answer for this long may have missed a notice.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// Exchanges after which the other servers get their copy of the number again.
const COPY_EVERY: u32 = 30;

/// The servers of one node's configuration.
pub(super) struct Servers {
    topology: Arc<Topology>,
    endpoints: Vec<Endpoint>,
    starter: Starter,
    /// A shard for each server, in their order.
    shards: Vec<Arc<Shard>>,
    /// The servers that know their places.
    placed: Vec<bool>,
    in_use: usize,
    /// The next number, and when it is in use.
    next: Option<(usize, Instant)>,
    answered_at: Instant,
    /// The number before a change that the first server does not have yet. Then what has moved is copied.
    changed_from: Option<usize>,
}

impl Servers {
    pub(super) fn new(topology: Arc<Topology>, endpoints: Vec<Endpoint>, starter: Starter) -> Self {
        Self {
            topology,
            placed: vec![false; endpoints.len()],
            endpoints,
            starter,
            shards: Vec::new(),
            in_use: 0,
            next: None,
            answered_at: Instant::now(),
            changed_from: None,
        }
    }

    /// Runs until it is dropped, or until the list of servers cannot be right.
    pub(super) async fn run(mut self) {
        if let Err(why) = self.begin().await {
            return self.stop(why);
        }
        let mut exchanges = 0_u32;
        loop {
            self.wait().await;
            if let Err(why) = self.exchange().await {
                return self.stop(why);
            }
            exchanges = exchanges.wrapping_add(1);
            if exchanges.is_multiple_of(COPY_EVERY) {
                agreement::write_copies(&self.shards, self.in_use).await;
            }
        }
    }

    /// Learns how many servers are in use, and starts all shards.
    async fn begin(&mut self) -> Result<(), String> {
        let endpoints = self.endpoints.iter();
        let idle = endpoints.map(|endpoint| self.starter.idle(endpoint.clone()));
        let idle: Vec<_> = idle
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let in_use = loop {
            let known = agreement::read_copies(&idle).await;
            self.check_places(&idle).await?;
            let begin = known.unwrap_or(idle.len());
            // What it can use is seen later; so far it uses no others.
            match agreement::exchange(&idle[0], begin.min(idle.len()), begin).await {
                Ok(Agreed { in_use, .. }) => break in_use,
                Err(error) => match known {
                    Some(known) => break known,
                    None => tracing::debug!(%error, "the number of Redis servers in use is not known yet"),
                },
            }
            sleep(LEARN_EVERY).await;
        };
        self.check_count(in_use)?;
        let shards = self
            .endpoints
            .iter()
            .map(|endpoint| self.starter.start(endpoint.clone()));
        self.shards = shards
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        // A server that is not in use serves nothing.
        self.shards
            .iter()
            .for_each(|shard| shard.join(self.topology.routing(), &PartitionSet::default()));
        self.use_servers(in_use);
        agreement::write_copies(&self.shards, in_use).await;
        Ok(())
    }

    /// Until the next exchange, or the change of the number.
    async fn wait(&self) {
        let until = self.next.map_or(EXCHANGE_EVERY, |(_, at)| {
            at.saturating_duration_since(Instant::now()).min(EXCHANGE_EVERY)
        });
        sleep(until).await;
    }

    async fn exchange(&mut self) -> Result<(), String> {
        if let Some((next, at)) = self.next
            && at <= Instant::now()
        {
            self.change_to(next);
        }
        let shards = self.shards.clone();
        self.check_places(&shards).await?;
        match agreement::exchange(&self.shards[0], self.usable(), self.in_use).await {
            Ok(agreed) => self.on_agreed(agreed)?,
            // The first server is down, and its shard says so. Then nobody can change the number.
            Err(error) => tracing::debug!(%error, "the number of Redis servers in use was not exchanged"),
        }
        self.note_disputed();
        Ok(())
    }

    fn on_agreed(&mut self, agreed: Agreed) -> Result<(), String> {
        self.answered_at = Instant::now();
        let Agreed { in_use, next } = agreed;
        self.check_count(in_use)?;
        // This node may have changed a moment before Redis says so.
        let is_early = next.is_some_and(|(next, _)| next == self.in_use);
        if in_use != self.in_use && !is_early {
            self.change_to(in_use);
        }
        if in_use == self.in_use
            && let Some(before) = self.changed_from.take()
        {
            let shards = self.shards.clone();
            self.starter.spawn(async move {
                agreement::write_copies(&shards, in_use).await;
                copy::run(&shards, before, in_use).await;
            });
        }
        let next = next.filter(|(next, _)| *next != self.in_use);
        if let Some((next, wait)) = next
            && self.next.is_none()
        {
            let (node, in_ms) = (self.shards[0].node(), wait.as_millis());
            tracing::info!(%node, in_ms, from = self.in_use, to = next, "the number of Redis servers in use changes on all nodes");
        }
        self.next = next.map(|(next, wait)| (next, Instant::now() + wait));
        Ok(())
    }

    /// How many servers this node can use: those in use, and the further ones in order that are up.
    fn usable(&self) -> usize {
        let further = self.shards.iter().skip(self.in_use);
        self.in_use + further.take_while(|shard| shard.health.is_connected()).count()
    }

    fn use_servers(&mut self, count: usize) {
        self.in_use = count;
        if let Some(routes) = routes(&self.shards[..count]) {
            // A shard that is not in use any more goes on like one that is not yet: its server may come into use again.
            self.topology.apply(routes);
        }
    }

    fn change_to(&mut self, count: usize) {
        let (before, count) = (self.in_use, count.min(self.shards.len()));
        self.next = None;
        self.use_servers(count);
        tracing::info!(node = %self.shards[0].node(), from = before, to = count, "the number of Redis servers in use has changed");
        self.changed_from = Some(before);
    }

    /// What may be on another server for other nodes: from the notice until shortly after the change, and while this node may
    /// have missed a notice.
    fn note_disputed(&self) {
        let next = match self.next {
            Some((next, _)) => next,
            None if self.in_use < self.shards.len()
                && self.answered_at.elapsed() > ANSWER_WITHIN.max(SETTLE) =>
            {
                self.shards.len()
            }
            None => self.in_use,
        };
        self.topology.set_disputed(moving(self.in_use, next));
    }

    /// A server stands where it always did.
    async fn check_places(&mut self, shards: &[Arc<Shard>]) -> Result<(), String> {
        for (place, shard) in shards.iter().enumerate() {
            if self.placed[place] {
                continue;
            }
            let Ok(known) = agreement::place_of(shard, place).await else {
                continue;
            };
            if known != place {
                return Err(format!(
                    "broker.redis_urls: Redis at {} is number {} of this cluster, but stands at number {} of the list; keep the \
                     servers in their order, and append new ones",
                    shard.health.server(),
                    known + 1,
                    place + 1
                ));
            }
            self.placed[place] = true;
        }
        Ok(())
    }

    fn check_count(&self, in_use: usize) -> Result<(), String> {
        let listed = self.endpoints.len();
        if in_use <= listed {
            return Ok(());
        }
        Err(format!(
            "broker.redis_urls lists {listed} Redis servers, and this cluster uses {in_use}; list all of them, in the order of \
             the other nodes"
        ))
    }

    fn stop(&self, why: String) {
        tracing::error!(node = %self.starter.shared.run.node, why, "the node stops");
        self.starter.shared.unusable.send_replace(Some(why));
        self.starter.shared.end.cancel();
    }
}

/// The table of these servers.
fn routes(shards: &[Arc<Shard>]) -> Option<Routes> {
    let map = ServerMap::new(shards.len());
    let first = Arc::clone(shards.first()?);
    Some(Routes::new(shards.to_vec(), first, |partition| {
        Arc::clone(&shards[map.server_of(partition)])
    }))
}
