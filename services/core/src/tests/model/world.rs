//! The world of the model: what happens next is drawn from the seed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use switchboard_protocol::{NodeId, NodeMessage};
use switchboard_telemetry::Telemetry;

use super::{
    bus::{Bus, Node, carry_out},
    client::Client,
    mutant::Mutant,
};
use crate::{BrokerEvents as _, Limits, Router, Session, send::sender::Sender as _};

pub(super) struct World {
    rng: SmallRng,
    bus: Arc<Mutex<Bus>>,
    nodes: Vec<Node>,
    pub(super) clients: Vec<Client>,
    /// Sessions whose sends outlive their connection: their timers run as the router's would.
    sessions: Vec<Arc<Session>>,
    telemetry: Telemetry,
    limits: Limits,
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>, telemetry: &Telemetry, limits: Limits) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let late = rng.random_bool(0.3).then(|| rng.random_range(0..2));
        let mut world = Self {
            clients: (0..rng.random_range(2..=3))
                .map(|number| Client::new(number, late, mutant))
                .collect(),
            rng,
            bus: Bus::new(mutant),
            nodes: Vec::new(),
            sessions: Vec::new(),
            telemetry: telemetry.clone(),
            limits,
        };
        for _ in 0..world.rng.random_range(1..=3) {
            world.start_node();
        }
        world
    }

    pub(super) fn connect_all(&mut self) {
        for client in 0..self.clients.len() {
            let luck = self.rng.random_range(0..100);
            if !self.clients[client].is_late {
                self.connect(client, luck);
            }
        }
    }

    fn start_node(&mut self) {
        let name = NodeId::new(&format!("n{}", self.nodes.len())).unwrap();
        let router = Router::new(name, self.limits.clone(), self.telemetry.clone());
        if let Some(first) = self.nodes.first() {
            let passed = first.router.context().clock.offset();
            router.context().clock.advance(passed);
        }
        self.nodes.push(Node::new(router, &self.bus));
    }

    /// One thing happens.
    pub(super) fn step(&mut self) {
        let node = self.rng.random_range(0..self.nodes.len());
        let client = self.rng.random_range(0..self.clients.len());
        let luck = self.rng.random_range(0..100);
        let is_running = self.nodes[node].is_running();
        match self.rng.random_range(0..100) {
            0..14 => {
                let to = self.rng.random_range(0..self.clients.len());
                self.clients[client].send(to);
            }
            14..34 => self.serve(client, luck),
            34..46 => self.clients[client].read(),
            46..62 if is_running => {
                carry_out(&mut self.nodes, node, luck);
            }
            62..76 if is_running => {
                self.nodes[node].hear();
            }
            76..82 if is_running => self.nodes[node].router.receiver_side().flush_acks(),
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
    fn serve(&mut self, client: usize, luck: u32) {
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
        // The node that owns the session is asked to detach it, and mostly it does.
        for owner in running {
            if owner != at && luck < 80 && self.clients[client].detaches_from(&self.nodes[owner].router) {
                while carry_out(&mut self.nodes, owner, 99) {}
            }
        }
        let router = Arc::clone(&self.nodes[at].router);
        self.clients[client].connect(at, &router);
        let newest = self.clients[client].connections.last();
        let attachment = newest.and_then(|connection| connection.attachment.as_ref());
        self.sessions
            .extend(attachment.map(|attachment| Arc::clone(attachment.session())));
    }

    /// Time passes, and timers run on the nodes that run.
    fn pass(&mut self, time: Duration) {
        self.bus.lock().now += time;
        for node in &self.nodes {
            node.router.context().clock.advance(time);
        }
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            let context = node.router.context();
            for session in &self.sessions {
                let current = context.registry.session(session.id());
                if !current.is_some_and(|current| Arc::ptr_eq(&current, session)) {
                    continue;
                }
                for (to, _) in session.outbox().streams() {
                    let now = context.now();
                    node.router.sender_side().retry_stream(&**session, &to, now);
                }
            }
        }
    }

    fn kill(&mut self, node: usize) {
        if self.nodes[node].died_at.is_some() || self.nodes.len() > 6 {
            return;
        }
        self.nodes[node].link.die();
        self.nodes[node].died_at = Some(self.bus.lock().now);
        for client in &mut self.clients {
            client.lose_node(node);
        }
        self.start_node();
    }

    /// A node continues. It checks first what it may have lost in the meantime. What gathered while it was away
    /// for longer than its lease is dropped.
    fn thaw(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if node.died_at.is_some() || !node.is_frozen {
            return;
        }
        node.is_frozen = false;
        node.deafen();
        for (key, session) in node.link.lost() {
            let fence = u64::MAX;
            let message = NodeMessage::Takeover { key, session, fence };
            node.router.on_node_message(message.encode().into());
        }
    }

    /// The faults stop: nothing is lost any more, everybody comes back, and time passes until all is quiet.
    pub(super) fn calm(&mut self) {
        for node in 0..self.nodes.len() {
            self.thaw(node);
        }
        for _ in 0..2_000 {
            for client in 0..self.clients.len() {
                self.calm_client(client);
            }
            for node in 0..self.nodes.len() {
                if self.nodes[node].is_running() {
                    self.nodes[node].router.receiver_side().flush_acks();
                    while carry_out(&mut self.nodes, node, 99) {}
                }
            }
            let running = self.nodes.iter_mut().filter(|node| node.is_running());
            running.for_each(|node| while node.hear() {});
            if self.clients.iter().all(Client::is_idle) {
                return;
            }
            self.pass(Duration::from_millis(100));
        }
    }

    fn calm_client(&mut self, client: usize) {
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
}
