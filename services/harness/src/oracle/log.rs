//! The log: who sent which message, its outcomes, where it arrived, in the order recorded. Not what it means.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use switchboard_client::SendReport;

/// A client, by its place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientNo(pub(super) u32);

impl ClientNo {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a payload says about itself: its stream and its number.
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
pub(super) struct Sent {
    pub(super) stamp: Stamp,
    pub(super) at: Duration,
}

/// All records of one send.
#[derive(Debug, Default)]
pub(super) struct SendRecord {
    pub(super) sent: Option<Sent>,
    pub(super) queued: Vec<Duration>,
    pub(super) outcomes: Vec<(Duration, SendReport)>,
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

/// A change of the connection of a client.
#[derive(Debug)]
pub(super) enum ConnectionChange {
    Connected { node: String, resumed: bool, gap: bool },
    Disconnected { reason: String },
    Ended { code: u16, reason: String },
}

/// A client.
#[derive(Debug)]
pub(super) struct ClientLog {
    pub(super) name: String,
    pub(super) reads: bool,
    /// Its sends by id.
    pub(super) sends: BTreeMap<u64, SendRecord>,
    /// In the order in which its application got them.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) changes: Vec<(Duration, ConnectionChange)>,
    /// The highest number that arrived from each sender.
    highest: HashMap<ClientNo, u64>,
    /// The node it is connected to.
    node: Option<String>,
}

/// The log of all clients.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) clients: Vec<ClientLog>,
    pub(super) faults: Vec<(Duration, String)>,
    pub(super) load_ended: Option<Duration>,
    /// Records that were dropped.
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

    pub(super) fn client(&mut self, name: &str, reads: bool) -> ClientNo {
        let number = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        self.clients.push(ClientLog {
            name: name.to_owned(),
            reads,
            sends: BTreeMap::new(),
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

    pub(super) fn send(&mut self, id: u64, sent: Sent) {
        if let Some(client) = self.of(sent.stamp.from) {
            client.sends.entry(id).or_default().sent = Some(sent);
        }
    }

    pub(super) fn queued(&mut self, client: ClientNo, id: u64, at: Duration) {
        if let Some(client) = self.of(client) {
            client.sends.entry(id).or_default().queued.push(at);
        }
    }

    pub(super) fn outcome(&mut self, client: ClientNo, id: u64, at: Duration, report: SendReport) {
        if let Some(client) = self.of(client) {
            client.sends.entry(id).or_default().outcomes.push((at, report));
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

    pub(super) fn change(&mut self, client: ClientNo, at: Duration, change: ConnectionChange) {
        if let Some(client) = self.of(client) {
            client.node = match &change {
                ConnectionChange::Connected { node, .. } => Some(node.clone()),
                ConnectionChange::Disconnected { .. } | ConnectionChange::Ended { .. } => None,
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
        let sends = self.clients.iter().flat_map(|client| client.sends.values());
        let open = sends.filter(|record| record.sent.is_some() && record.outcomes.is_empty());
        open.fold((0, 0), |(all, queued), record| {
            (all + 1, queued + usize::from(!record.queued.is_empty()))
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
