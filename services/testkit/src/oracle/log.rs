//! The log itself: who sent what, the words on it, what arrived where, in the order noted. Not what it means.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use switchboard_client::Outcome;

/// A client, by its place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientNo(pub(super) u32);

impl ClientNo {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a payload says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) from: ClientNo,
    pub(super) to: ClientNo,
    /// Counts up from 1 in each stream.
    pub(super) number: u64,
}

impl Stamp {
    pub(super) fn to_json(self, padding: usize) -> String {
        let (from, to, number) = (self.from.0, self.to.0, self.number);
        format!("[{from},{to},{number},\"{}\"]", "x".repeat(padding))
    }

    pub(super) fn parse(json: &str) -> Option<Self> {
        let (from, to, number, _) = serde_json::from_str::<(u32, u32, u64, &str)>(json).ok()?;
        Some(Self {
            from: ClientNo(from),
            to: ClientNo(to),
            number,
        })
    }
}

/// A send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Send {
    pub(super) stamp: Stamp,
    pub(super) at: Duration,
}

/// What was said about one send.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) send: Option<Send>,
    pub(super) queued: Vec<Duration>,
    pub(super) words: Vec<(Duration, Outcome)>,
}

/// A message as an application got it.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) at: Duration,
    /// `None`: the payload is not one that was sent.
    pub(super) stamp: Option<Stamp>,
    pub(super) from: String,
    pub(super) mid: String,
    pub(super) seq: u64,
}

/// A change of a client's connection.
#[derive(Debug)]
pub(super) enum Change {
    Connected { node: String, resumed: bool, gap: bool },
    Disconnected { reason: String },
    Ended { code: u16, reason: String },
}

/// A client.
#[derive(Debug)]
pub(super) struct ClientLog {
    pub(super) name: String,
    pub(super) has_ears: bool,
    /// Its sends by `id`.
    pub(super) said: BTreeMap<u64, Said>,
    /// In the order in which its application got them.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) changes: Vec<(Duration, Change)>,
    /// The highest number that arrived from each sender.
    highest: HashMap<ClientNo, u64>,
    /// The node it is connected to.
    node: Option<String>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) clients: Vec<ClientLog>,
    pub(super) faults: Vec<(Duration, String)>,
    pub(super) load_ended: Option<Duration>,
    /// Records that there was no room for.
    pub(super) dropped: usize,
    room: usize,
}

impl Log {
    pub(super) fn new(room: usize) -> Self {
        Self {
            clients: Vec::new(),
            faults: Vec::new(),
            load_ended: None,
            dropped: 0,
            room,
        }
    }

    pub(super) fn client(&mut self, name: &str, has_ears: bool) -> ClientNo {
        let number = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        self.clients.push(ClientLog {
            name: name.to_owned(),
            has_ears,
            said: BTreeMap::new(),
            arrivals: Vec::new(),
            changes: Vec::new(),
            highest: HashMap::new(),
            node: None,
        });
        ClientNo(number)
    }

    /// The client, if there is room for one more record.
    fn of(&mut self, client: ClientNo) -> Option<&mut ClientLog> {
        if self.room == 0 {
            self.dropped += 1;
            return None;
        }
        self.room -= 1;
        self.clients.get_mut(client.index())
    }

    pub(super) fn send(&mut self, id: u64, send: Send) {
        if let Some(client) = self.of(send.stamp.from) {
            client.said.entry(id).or_default().send = Some(send);
        }
    }

    pub(super) fn queued(&mut self, client: ClientNo, id: u64, at: Duration) {
        if let Some(client) = self.of(client) {
            client.said.entry(id).or_default().queued.push(at);
        }
    }

    pub(super) fn word(&mut self, client: ClientNo, id: u64, at: Duration, outcome: Outcome) {
        if let Some(client) = self.of(client) {
            client.said.entry(id).or_default().words.push((at, outcome));
        }
    }

    pub(super) fn arrival(&mut self, client: ClientNo, arrival: Arrival) {
        if let Some(client) = self.of(client) {
            if let Some(stamp) = arrival.stamp {
                let highest = client.highest.entry(stamp.from).or_default();
                *highest = stamp.number.max(*highest);
            }
            client.arrivals.push(arrival);
        }
    }

    pub(super) fn change(&mut self, client: ClientNo, at: Duration, change: Change) {
        if let Some(client) = self.of(client) {
            client.node = match &change {
                Change::Connected { node, .. } => Some(node.clone()),
                Change::Disconnected { .. } | Change::Ended { .. } => None,
            };
            client.changes.push((at, change));
        }
    }

    pub(super) fn fault(&mut self, name: &str, at: Duration) {
        self.faults.push((at, name.to_owned()));
    }

    pub(super) fn load_ended(&mut self, at: Duration) {
        self.load_ended = Some(at);
    }

    pub(super) fn unfinished(&self) -> (usize, usize) {
        let said = self.clients.iter().flat_map(|client| client.said.values());
        let open = said.filter(|said| said.send.is_some() && said.words.is_empty());
        open.fold((0, 0), |(all, queued), said| {
            (all + 1, queued + usize::from(!said.queued.is_empty()))
        })
    }

    pub(super) fn connected(&self) -> usize {
        self.clients.iter().filter(|client| client.node.is_some()).count()
    }

    pub(super) fn node_of(&self, client: ClientNo) -> Option<&str> {
        self.clients.get(client.index())?.node.as_deref()
    }

    pub(super) fn arrived(&self, from: ClientNo, to: ClientNo) -> u64 {
        let client = self.clients.get(to.index());
        client
            .and_then(|client| client.highest.get(&from))
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn name(&self, client: ClientNo) -> &str {
        self.clients
            .get(client.index())
            .map_or("?", |client| &client.name)
    }
}
