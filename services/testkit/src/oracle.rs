//! The oracle of the fault suite: a log of what every client's application sent, was told and got, and the
//! judgement on it. It knows nothing of nodes or Redis: only what an application can see. What it judges is in
//! `judge`, how the log of one send reads in `history`, how fast a fault healed in `heal`.

mod heal;
mod history;
mod judge;
mod log;
mod verdict;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::value::RawValue;
use switchboard_client::{Outcome, SessionEvent};
use tokio::time::sleep;

pub use heal::Heal;
pub use log::ClientNo;
use log::{Arrival, Change, Log, Send, Stamp};
pub use verdict::Verdict;

/// Sends, words, arrivals and changes kept, together. What comes later is dropped, and fails the verdict.
const MAX_RECORDS: usize = 4_000_000;

/// How long a send without a word is waited for: the deadline of a send, twice over.
const WORDS_WITHIN: Duration = Duration::from_secs(12);

/// The same where it waits in a mailbox: the resume window, and some more.
const QUEUED_WITHIN: Duration = Duration::from_secs(75);

/// How long the applications have to note what was delivered to them.
const ARRIVED_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked at whether all is finished.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The log of one run.
#[derive(Debug)]
pub struct Oracle {
    start: Instant,
    log: Mutex<Log>,
}

impl Oracle {
    /// An empty log; its time starts now.
    #[must_use]
    pub fn start() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            log: Mutex::new(Log::new(MAX_RECORDS)),
        })
    }

    /// A client, whose peer ID is `name`, and whose application notes all it hears.
    pub fn client(&self, name: &str) -> ClientNo {
        self.log.lock().client(name, true)
    }

    /// The same for one that notes nothing: a message to it counts as lost for no one.
    pub fn client_without_ears(&self, name: &str) -> ClientNo {
        self.log.lock().client(name, false)
    }

    /// The payload that message `number` of the stream `from` → `to` carries, with `padding` bytes more.
    ///
    /// # Errors
    /// Never in practice: it is valid JSON.
    pub fn payload(
        &self,
        from: ClientNo,
        to: ClientNo,
        number: u64,
        padding: usize,
    ) -> anyhow::Result<Box<RawValue>> {
        crate::payload(Stamp { from, to, number }.to_json(padding))
    }

    /// The application sent message `number` at `at`; the client gave it `id`.
    pub fn sent(&self, from: ClientNo, id: u64, to: ClientNo, number: u64, at: Instant) {
        let stamp = Stamp { from, to, number };
        let at = at.saturating_duration_since(self.start);
        self.log.lock().send(id, Send { stamp, at });
    }

    /// What `client`'s application heard from its session, now.
    pub fn note(&self, client: ClientNo, event: &SessionEvent) {
        let at = self.start.elapsed();
        let mut log = self.log.lock();
        match event {
            SessionEvent::Connected {
                node, resumed, gap, ..
            } => {
                let node = node.to_string();
                let (resumed, gap) = (*resumed, *gap);
                log.change(client, at, Change::Connected { node, resumed, gap });
            }
            SessionEvent::Disconnected { reason } => {
                let reason = reason.clone();
                log.change(client, at, Change::Disconnected { reason });
            }
            SessionEvent::Ended { code, reason } => {
                let (code, reason) = (*code, reason.clone());
                log.change(client, at, Change::Ended { code, reason });
            }
            SessionEvent::Queued { id } => log.queued(client, *id, at),
            SessionEvent::Word { id, outcome } => log.word(client, *id, at, outcome.clone()),
            SessionEvent::Message(message) => log.arrival(
                client,
                Arrival {
                    at,
                    stamp: Stamp::parse(message.payload.get()),
                    from: message.from.clone(),
                    mid: message.mid.clone(),
                    seq: message.seq,
                },
            ),
        }
    }

    /// The same for a client that is no session: the word on its send.
    pub fn word(&self, client: ClientNo, id: u64, outcome: Outcome) {
        let at = self.start.elapsed();
        self.log.lock().word(client, id, at, outcome);
    }

    /// Something is done to the cluster now.
    pub fn fault(&self, name: &str) {
        let at = self.start.elapsed();
        println!("{:>7.2} s  {name}", at.as_secs_f64());
        self.log.lock().fault(name, at);
    }

    /// The load ends now: healing is judged up to here.
    pub fn load_ended(&self) {
        let at = self.start.elapsed();
        self.log.lock().load_ended(at);
    }

    /// Sends without a final word, and among those how many were told to wait in a mailbox.
    #[must_use]
    pub fn unfinished(&self) -> (usize, usize) {
        self.log.lock().unfinished()
    }

    /// Delivered sends that their receivers' applications have not noted (yet).
    #[must_use]
    pub fn missing(&self) -> usize {
        judge::missing(&self.log.lock())
    }

    /// Clients that have a connection now.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.log.lock().connected()
    }

    /// The node that the client is connected to now.
    #[must_use]
    pub fn node_of(&self, client: ClientNo) -> Option<String> {
        self.log.lock().node_of(client).map(str::to_owned)
    }

    /// The highest number that has arrived in the stream `from` → `to`.
    #[must_use]
    pub fn arrived(&self, from: ClientNo, to: ClientNo) -> u64 {
        self.log.lock().arrived(from, to)
    }

    /// The longest that a send from `from` to `to` waited for its word, so far.
    #[must_use]
    pub fn longest_wait(&self, from: ClientNo, to: ClientNo) -> Duration {
        heal::longest_wait(&self.log.lock(), from, to)
    }

    /// Waits until every send has its word, and every delivered one was noted by its receiver, as far as they
    /// come at all: what is missing then is for the verdict.
    pub async fn settle(&self) {
        let begin = Instant::now();
        loop {
            let (open, queued) = self.unfinished();
            let patience = if queued > 0 { QUEUED_WITHIN } else { WORDS_WITHIN };
            if open == 0 || begin.elapsed() > patience {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        let begin = Instant::now();
        while self.missing() > 0 && begin.elapsed() < ARRIVED_WITHIN {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Judges all that was noted so far.
    #[must_use]
    pub fn judge(&self) -> Verdict {
        judge::judge(&self.log.lock())
    }

    /// How fast each fault healed, in their order.
    #[must_use]
    pub fn heals(&self) -> Vec<Heal> {
        heal::heals(&self.log.lock())
    }
}
