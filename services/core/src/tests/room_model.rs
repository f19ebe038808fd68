//! Random histories of rooms: joins, leaves, lost connections, resumes on other nodes, dead nodes, lost and reordered
//! events. After quiet, each member's roster, put together from what it read, equals the truth.

use std::{collections::BTreeSet, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use switchboard_protocol::{LeaveReason, ResumeToken};

use super::room_bus::{BusEvent, RoomBus, RoomNode, end, lose, quiet};
use crate::Attachment;

const PEERS: usize = 8;
const ROOMS: [&str; 3] = ["r0", "r1", "r2"];
const STEPS: usize = 120;

/// One client: its connection, and its rosters as it knows them.
struct Client {
    name: String,
    connection: Option<(usize, Attachment)>,
    token: Option<ResumeToken>,
    rosters: [Option<BTreeSet<String>>; ROOMS.len()],
}

impl Client {
    /// Applies what it reads.
    fn read(&mut self) {
        let Some((_, attachment)) = &self.connection else {
            return;
        };
        for text in super::harness::write(attachment) {
            let event: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let Some(room) = ROOMS.iter().position(|room| event["room"] == *room) else {
                continue;
            };
            let roster = &mut self.rosters[room];
            let peer = || event["peer"].as_str().unwrap().to_owned();
            match event["type"].as_str().unwrap() {
                "joined" => {
                    let members = event["members"].as_array().unwrap().iter();
                    let names = members.map(|member| member["peer"].as_str().unwrap().to_owned());
                    *roster = Some(names.collect());
                }
                "left" => *roster = None,
                "peer-joined" => drop(roster.as_mut().expect("it is in the room").insert(peer())),
                "peer-left" => drop(roster.as_mut().expect("it is in the room").remove(&peer())),
                other => panic!("not expected: {other}"),
            }
        }
    }
}

struct World {
    bus: RoomBus,
    nodes: Vec<RoomNode>,
    clients: Vec<Client>,
    rng: SmallRng,
    born: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let bus = RoomBus::default();
        let client = |number| Client {
            name: format!("p{number}"),
            connection: None,
            token: None,
            rosters: Default::default(),
        };
        Self {
            nodes: (0..3).map(|number| bus.node(&format!("n{number}"))).collect(),
            clients: (0..PEERS).map(client).collect(),
            rng: SmallRng::seed_from_u64(seed),
            born: 3,
            bus,
        }
    }

    fn step(&mut self) {
        let which = self.rng.random_range(0..PEERS);
        let room = ROOMS[self.rng.random_range(0..ROOMS.len())];
        let at = self.rng.random_range(0..self.nodes.len());
        let client = &mut self.clients[which];
        match (self.rng.random_range(0..100), client.connection.take()) {
            (0..70, None) => {
                client.rosters = Default::default();
                let attached = match client.token.take() {
                    Some(token) => self.nodes[at].attach_as(
                        &client.name,
                        crate::AttachRequest {
                            resume: Some((token, 0)),
                            ..crate::AttachRequest::default()
                        },
                    ),
                    None => self.nodes[at].attach(&client.name),
                };
                client.connection = Some((at, attached));
            }
            (0..35, Some((on, attached))) => {
                self.nodes[on].join(&attached, room);
                client.connection = Some((on, attached));
            }
            (35..50, Some((on, attached))) => {
                self.nodes[on].leave(&attached, room);
                client.connection = Some((on, attached));
            }
            (50..58, Some((_, attached))) => client.token = Some(lose(attached, 0).0),
            (58..62, Some((_, attached))) => end(attached, LeaveReason::Left),
            (62..90, connection) => {
                client.connection = connection;
                self.hear(at);
            }
            (90..92, connection) => {
                client.connection = connection;
                self.kill(at);
            }
            (92..97, connection) => {
                client.connection = connection;
                self.nodes[at].tick();
            }
            (_, connection) => client.connection = connection,
        }
    }

    /// A node hears what waits for it. Answers and changes may overtake each other; a change may be lost.
    fn hear(&mut self, at: usize) {
        let (answers, changes): (Vec<_>, Vec<_>) = self.nodes[at]
            .take_queued()
            .into_iter()
            .partition(|event| matches!(event, BusEvent::Joined(..) | BusEvent::Left(..)));
        let (first, second) = if self.rng.random() {
            (answers, changes)
        } else {
            (changes, answers)
        };
        for event in first.into_iter().chain(second) {
            let is_lost = matches!(event, BusEvent::Delta(..)) && self.rng.random_range(0..20) == 0;
            if let (true, BusEvent::Delta(room, _)) = (is_lost, &event) {
                // A lost change is seen by the next one, or the bus knows of it.
                self.nodes[at].router.room_side().on_gap(room);
            } else {
                self.nodes[at].hear(event);
            }
        }
    }

    /// A node dies; another one takes its place. Its clients lost their connections.
    fn kill(&mut self, at: usize) {
        let new = self.bus.node(&format!("n{}", self.born));
        self.born += 1;
        let dead = std::mem::replace(&mut self.nodes[at], new);
        self.bus.kill(&dead);
        for client in &mut self.clients {
            if client.connection.as_ref().is_some_and(|(on, _)| *on == at) {
                client.token = client.connection.take().map(|(_, attached)| attached.token());
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..8 {
            for node in &self.nodes {
                quiet(&self.nodes.iter().collect::<Vec<_>>());
                node.tick();
            }
            quiet(&self.nodes.iter().collect::<Vec<_>>());
            self.clients.iter_mut().for_each(Client::read);
        }
    }

    fn check(&mut self, seed: u64) {
        self.settle();
        for (index, room) in ROOMS.iter().enumerate() {
            let truth: BTreeSet<_> = self.bus.members(room).into_iter().collect();
            for client in &self.clients {
                let roster = client.rosters[index]
                    .as_ref()
                    .filter(|_| client.connection.is_some());
                match roster {
                    Some(roster) => assert_eq!(roster, &truth, "seed {seed}, {room} by {}", client.name),
                    None if client.connection.is_some() => {
                        assert!(
                            !truth.contains(&client.name),
                            "seed {seed}, {room}: {}",
                            client.name
                        );
                    }
                    None => {}
                }
            }
        }
        // A client that does not return is gone when the windows end.
        for node in &self.nodes {
            node.router.context().clock.advance(Duration::from_secs(61));
        }
        self.settle();
        let connected = self.clients.iter().filter(|client| client.connection.is_some());
        let connected: BTreeSet<_> = connected.map(|client| client.name.clone()).collect();
        for room in ROOMS {
            let ghosts: Vec<_> = self
                .bus
                .members(room)
                .into_iter()
                .filter(|name| !connected.contains(name))
                .collect();
            assert_eq!(ghosts, [""; 0], "seed {seed}, {room}");
        }
    }
}

#[test]
fn rosters_equal_the_truth_after_quiet() {
    for seed in 0..300 {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.check(seed);
    }
}
