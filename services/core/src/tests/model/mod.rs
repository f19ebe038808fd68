//! A model of the delivery contract around the real router: nodes, clients and a bus on which everything can
//! be lost, doubled and delayed, connections cut, nodes frozen and killed, in an order that a seed decides.
//! When the storm is over, every send must have had its one word, and every word must be true.
//!
//! A failing seed is printed; `MODEL_SEED=<seed> cargo test -p switchboard-core model` runs it alone.

mod bus;
mod client;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use switchboard_protocol::{ErrorCode, NodeId};
use switchboard_telemetry::Telemetry;

use crate::{BrokerEvents as _, Limits, Router};
use bus::{Node, Redis, carry_out};
use client::{Client, Word};

/// Schedules run by the test; `SWITCHBOARD_MODEL_SCHEDULES` overrides it.
const SCHEDULES: u64 = 100_000;

/// Schedules in which a planted bug must be found.
const MUTANT_SCHEDULES: u64 = 20_000;

/// Steps of a storm.
const STEPS: usize = 300;

/// A bug that is planted to see whether the model finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A detached session keeps as done what its client never acknowledged.
    AcceptedIsDone,
    /// A message counts as done when it is written, whatever the client says.
    DoneWhenWritten,
    /// A client that hands over what it had before.
    NoDedupe,
    /// A client that hands over what is older than what it had.
    NoOrder,
}

struct World {
    rng: SmallRng,
    redis: Arc<Mutex<Redis>>,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    /// Sessions whose sends go on after their connection: looked after as the router's timer would.
    peers: Vec<Arc<crate::Session>>,
    telemetry: Telemetry,
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>, telemetry: &Telemetry) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let redis = Redis::new(mutant);
        let mut world = Self {
            clients: (0..rng.random_range(2..=3))
                .map(|number| Client::new(number, mutant))
                .collect(),
            rng,
            redis,
            nodes: Vec::new(),
            peers: Vec::new(),
            telemetry: telemetry.clone(),
        };
        for _ in 0..world.rng.random_range(1..=3) {
            world.start_node();
        }
        world
    }

    fn start_node(&mut self) {
        let name = NodeId::new(&format!("n{}", self.nodes.len())).unwrap();
        let router = Router::new(name, Limits::default(), self.telemetry.clone());
        let passed = self.nodes.first().map_or(0, |node| clock(&node.router));
        router
            .clock_ms
            .store(passed, std::sync::atomic::Ordering::Relaxed);
        self.nodes.push(Node::new(router, &self.redis));
    }

    fn step(&mut self) {
        let node = self.rng.random_range(0..self.nodes.len());
        let client = self.rng.random_range(0..self.clients.len());
        let luck = self.rng.random_range(0..100);
        match self.rng.random_range(0..100) {
            0..14 => {
                let to = self.rng.random_range(0..self.clients.len());
                self.clients[client].send(to);
            }
            14..34 => self.node_turn(client, luck),
            34..46 => self.clients[client].read(),
            46..62 if self.nodes[node].is_running() => {
                carry_out(&mut self.nodes, node, luck);
            }
            62..76 if self.nodes[node].is_running() => {
                self.nodes[node].hear();
            }
            76..82 if self.nodes[node].is_running() => self.flush_acks(node),
            82..88 => self.pass(Duration::from_millis(u64::from(luck) * 8)),
            88..92 => self.connect(client, luck),
            92..97 => self.cut(client, luck),
            97 if luck < 25 => self.kill(node),
            98 if luck < 50 => self.nodes[node].is_frozen = true,
            99 => self.thaw(node),
            _ => {}
        }
    }

    /// A connection is cut; mostly its node notices at once.
    fn cut(&mut self, client: usize, luck: u32) {
        let client = &mut self.clients[client];
        client.cut();
        if let Some(newest) = client.connections.len().checked_sub(1).filter(|_| luck < 70) {
            client.node_notices(newest);
        }
    }

    /// A node serves one of the client's connections.
    fn node_turn(&mut self, client: usize, luck: u32) {
        let count = self.clients[client].connections.len();
        if count == 0 {
            return;
        }
        let at = self.rng.random_range(0..count);
        if !self.nodes[self.clients[client].connections[at].node].is_running() {
            return;
        }
        match luck {
            0..42 => self.clients[client].node_reads(at),
            42..84 => self.clients[client].node_writes(at),
            _ => self.clients[client].node_notices(at),
        }
    }

    fn connect(&mut self, client: usize, luck: u32) {
        if self.clients[client].is_connected() {
            return;
        }
        let running: Vec<_> = (0..self.nodes.len())
            .filter(|at| self.nodes[*at].is_running())
            .collect();
        let Some(at) = running.get(luck as usize % running.len().max(1)).copied() else {
            return;
        };
        // The node that still holds the session is asked, and mostly it answers.
        for holder in running {
            if holder != at && luck < 80 && self.clients[client].yields(&self.nodes[holder].router).is_some()
            {
                while carry_out(&mut self.nodes, holder, 99) {}
            }
        }
        let router = Arc::clone(&self.nodes[at].router);
        self.clients[client].connect(at, &router);
        let attached = self.clients[client].connections.last();
        let peer = attached.and_then(|connection| connection.attachment.as_ref());
        self.peers
            .extend(peer.map(|attachment| Arc::clone(attachment.peer())));
    }

    fn flush_acks(&mut self, node: usize) {
        let Node { router, link, .. } = &self.nodes[node];
        router.acks.flush(link.as_ref(), &router.telemetry);
    }

    /// Time passes, and timers run on the nodes that run.
    fn pass(&mut self, time: Duration) {
        self.redis.lock().now += time;
        let step = u64::try_from(time.as_millis()).unwrap();
        for node in &self.nodes {
            node.router
                .clock_ms
                .fetch_add(step, std::sync::atomic::Ordering::Relaxed);
        }
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            for peer in &self.peers {
                let is_here = node.router.registry.session(peer.session());
                if is_here.is_none_or(|here| !Arc::ptr_eq(&here, peer)) {
                    continue;
                }
                let slot = peer.outbox.lock();
                let receivers: Vec<_> = slot
                    .iter()
                    .flat_map(|outbox| outbox.receivers().cloned())
                    .collect();
                drop(slot);
                for to in receivers {
                    node.router.look_after(peer, &to, node.router.now());
                }
            }
        }
    }

    fn kill(&mut self, node: usize) {
        if self.nodes[node].died_at.is_some() || self.nodes.len() > 6 {
            return;
        }
        self.nodes[node]
            .link
            .is_dead
            .store(true, std::sync::atomic::Ordering::Relaxed);
        self.nodes[node].died_at = Some(self.redis.lock().now);
        for client in &mut self.clients {
            let own = client
                .connections
                .last()
                .is_some_and(|connection| connection.node == node);
            if own {
                client.cut();
            }
            for connection in client
                .connections
                .iter_mut()
                .filter(|connection| connection.node == node)
            {
                connection.attachment = None;
            }
        }
        self.start_node();
    }

    /// A node goes on. What it may have lost meanwhile is checked before it hears anything, and what gathered
    /// while it was away for longer than its lease is dropped.
    fn thaw(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if node.died_at.is_some() || !node.is_frozen {
            return;
        }
        node.is_frozen = false;
        node.deafen();
        for (key, session) in node.link.lost() {
            let message = switchboard_protocol::NodeMessage::Takeover {
                key,
                session,
                fence: u64::MAX,
            };
            node.router.on_node_message(message.encode().into());
        }
    }

    /// The storm is over: nothing is lost any more, everybody comes back, and time passes until all is quiet.
    fn calm(&mut self) {
        for node in 0..self.nodes.len() {
            self.thaw(node);
        }
        for _ in 0..2_000 {
            for client in 0..self.clients.len() {
                for at in 0..self.clients[client].connections.len() {
                    self.clients[client].node_notices(at);
                }
                self.connect(client, 0);
                for at in 0..self.clients[client].connections.len() {
                    if self.nodes[self.clients[client].connections[at].node].is_running() {
                        for _ in 0..40 {
                            self.clients[client].node_reads(at);
                            self.clients[client].node_writes(at);
                        }
                    }
                }
                (0..40).for_each(|_| self.clients[client].read());
            }
            for node in 0..self.nodes.len() {
                if self.nodes[node].is_running() {
                    self.flush_acks(node);
                    while carry_out(&mut self.nodes, node, 99) {}
                }
            }
            self.nodes
                .iter_mut()
                .filter(|node| node.is_running())
                .for_each(|node| while node.hear() {});
            if self.clients.iter().all(Client::is_idle) {
                return;
            }
            self.pass(Duration::from_millis(100));
        }
    }

    fn judge(&self) -> Result<Counts, String> {
        let mut counts = Counts::default();
        for (number, client) in self.clients.iter().enumerate() {
            counts.queued += client.was_queued;
            for ((id, to), words) in &client.sent {
                let what = format!("{number}/{id} to {to}");
                let arrived = self.clients[*to]
                    .received
                    .iter()
                    .filter(|(from, _, of)| from == &number && of == id)
                    .count();
                counts.sent += 1;
                match words[..] {
                    [] => return Err(format!("{what} has no final word")),
                    [Word::Delivered] if arrived == 0 => return Err(format!("{what} was lost in silence")),
                    [Word::Delivered] => counts.delivered += 1,
                    // All connect before anybody sends, and no storm lasts as long as the resume window.
                    [Word::Failed(code @ (ErrorCode::PeerOffline | ErrorCode::Expired))] => {
                        return Err(format!("{what}: {code}, but its receiver was there all the time"));
                    }
                    [Word::Failed(_) | Word::SessionLost] => counts.failed += 1,
                    [_, ..] => return Err(format!("{what} has several final words: {words:?}")),
                }
                if arrived > 1 {
                    return Err(format!("{what} arrived {arrived} times"));
                }
            }
        }
        for (to, client) in self.clients.iter().enumerate() {
            for from in 0..self.clients.len() {
                let of = client.received.iter().filter(|(sender, ..)| *sender == from);
                let order: Vec<_> = of.map(|(_, session, id)| (*session, *id)).collect();
                if !order.is_sorted() {
                    return Err(format!("{from} to {to} out of order: {order:?}"));
                }
            }
        }
        Ok(counts)
    }
}

/// What a schedule did, to show that the storm is one.
#[derive(Debug, Default)]
struct Counts {
    sent: usize,
    delivered: usize,
    failed: usize,
    queued: usize,
}

fn clock(router: &Router) -> u64 {
    router.clock_ms.load(std::sync::atomic::Ordering::Relaxed)
}

fn run(seed: u64, mutant: Option<Mutant>, telemetry: &Telemetry) -> Result<Counts, String> {
    let mut world = World::new(seed, mutant, telemetry);
    for client in 0..world.clients.len() {
        let luck = world.rng.random_range(0..100);
        world.connect(client, luck);
    }
    for _ in 0..STEPS {
        world.step();
    }
    world.calm();
    world.judge()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_schedule_of_faults_breaks_the_delivery_contract() {
    let telemetry = Telemetry::new("model");
    if let Some(seed) = number("MODEL_SEED") {
        println!("seed {seed}: {:?}", run(seed, None, &telemetry));
    }
    let seeds = number("MODEL_SEED").map_or(
        0..number("SWITCHBOARD_MODEL_SCHEDULES").unwrap_or(SCHEDULES),
        |seed| seed..seed + 1,
    );
    let mut all = Counts::default();
    for seed in seeds {
        match run(seed, None, &telemetry) {
            Ok(counts) => {
                all.sent += counts.sent;
                all.delivered += counts.delivered;
                all.failed += counts.failed;
                all.queued += counts.queued;
            }
            Err(why) => panic!("MODEL_SEED={seed}: {why}"),
        }
    }
    println!("{all:?}");
}

fn finds(mutant: Mutant) {
    let telemetry = Telemetry::new("model");
    let found = (0..MUTANT_SCHEDULES)
        .find_map(|seed| run(seed, Some(mutant), &telemetry).err().map(|why| (seed, why)));
    println!("{mutant:?}: {found:?}");
    assert!(
        found.is_some(),
        "{mutant:?} was not found in {MUTANT_SCHEDULES} schedules"
    );
}

#[test]
fn the_model_finds_sessions_that_keep_too_much_as_done() {
    finds(Mutant::AcceptedIsDone);
}

#[test]
fn the_model_finds_acknowledgements_that_come_too_early() {
    finds(Mutant::DoneWhenWritten);
}

#[test]
fn the_model_finds_clients_that_do_not_mind_the_order() {
    finds(Mutant::NoOrder);
}

#[test]
fn the_model_finds_clients_that_hand_over_twice() {
    finds(Mutant::NoDedupe);
}
