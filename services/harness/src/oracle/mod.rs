//! The oracle: it logs what the application of every client sends, learns and receives, and finds each violation of the
//! delivery contract in the log. It knows no nodes and no Redis, only what an application can see.
//!
//! The load generator has an oracle of its own (`loadtest/src/work/flow.rs`) with the same rules for lost, duplicated and
//! reordered. This one keeps every record of a run, because it prints the trace of each violation, checks deadlines and
//! measures recovery: some hundred bytes per message, for minutes of a few hundred clients. The generator checks tens of
//! thousands of connections for hours, so it keeps open sends only. It also checks servers without outcomes.

mod check;
mod log;
mod recovery;
mod report;
mod trace;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::value::RawValue;
use switchboard_client::{SendReport, SessionEvent};
use tokio::time::sleep;

pub use log::ClientNo;
use log::{Arrival, ConnectionChange, Log, Sent, Stamp};
pub use recovery::Recovery;
pub use report::OracleReport;

/// Records in the log: sends, outcomes, arrivals and connection changes together. Later ones are dropped, and then the
/// report is not ok.
const MAX_RECORDS: usize = 4_000_000;

/// How long to wait for the outcome of a send: twice the deadline of a send.
const OUTCOME_WITHIN: Duration = Duration::from_secs(12);

/// How long to wait where a send waits for its receiver's return: the resume window and some more.
const QUEUED_WITHIN: Duration = Duration::from_secs(75);

/// How long applications may take to receive what was delivered to them.
const ARRIVED_WITHIN: Duration = Duration::from_secs(5);

/// The time between two checks whether all is finished.
const CHECK_EVERY: Duration = Duration::from_millis(50);

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

    /// Adds a client with the peer ID `name`. Its application reads all messages.
    pub fn client(&self, name: &str) -> ClientNo {
        self.log.lock().client(name, true)
    }

    /// Adds a client that reads nothing. Messages to it do not count as lost.
    pub fn client_that_does_not_read(&self, name: &str) -> ClientNo {
        self.log.lock().client(name, false)
    }

    /// The payload that message `number` of the stream `from` → `to` carries, with `padding` bytes more.
    ///
    /// # Errors
    /// When it is not valid JSON; never seen.
    pub fn payload(
        &self,
        from: ClientNo,
        to: ClientNo,
        number: u64,
        padding: usize,
    ) -> anyhow::Result<Box<RawValue>> {
        Ok(RawValue::from_string(
            Stamp { from, to, number }.to_json(padding),
        )?)
    }

    /// Records that the application sent message `number` at `at`. `id` is the client's id of this send.
    pub fn sent(&self, from: ClientNo, id: u64, to: ClientNo, number: u64, at: Instant) {
        let stamp = Stamp { from, to, number };
        let at = at.saturating_duration_since(self.start);
        self.log.lock().send(id, Sent { stamp, at });
    }

    /// Records an event of the client's session, now.
    pub fn on_event(&self, client: ClientNo, event: &SessionEvent) {
        let at = self.start.elapsed();
        let mut log = self.log.lock();
        match event {
            SessionEvent::Connected {
                node, resumed, gap, ..
            } => {
                let node = node.to_string();
                let (resumed, gap) = (*resumed, *gap);
                log.change(client, at, ConnectionChange::Connected { node, resumed, gap });
            }
            SessionEvent::Disconnected { reason } => {
                let reason = reason.clone();
                log.change(client, at, ConnectionChange::Disconnected { reason });
            }
            SessionEvent::Ended { code, reason } => {
                let (code, reason) = (*code, reason.clone());
                log.change(client, at, ConnectionChange::Ended { code, reason });
            }
            SessionEvent::Queued { id } => log.queued(client, *id, at),
            SessionEvent::Outcome { id, report } => log.outcome(client, *id, at, report.clone()),
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
            // The log is about messages between peers.
            SessionEvent::Room(_) | SessionEvent::Presence { .. } | SessionEvent::Failed { .. } => {}
        }
    }

    /// Records the outcome of a send of a client that is not a session, now.
    pub fn outcome(&self, client: ClientNo, id: u64, report: SendReport) {
        let at = self.start.elapsed();
        self.log.lock().outcome(client, id, at, report);
    }

    /// Records that a fault begins or ends now.
    pub fn fault(&self, name: &str) {
        let at = self.start.elapsed();
        println!("{:>7.2} s  {name}", at.as_secs_f64());
        self.log.lock().fault(name, at);
    }

    /// Records that the load ends now. Recovery is measured up to here.
    pub fn load_ended(&self) {
        let at = self.start.elapsed();
        self.log.lock().load_ended(at);
    }

    /// Sends without an outcome, and how many of them wait in the offline queue.
    #[must_use]
    pub fn unfinished(&self) -> (usize, usize) {
        self.log.lock().unfinished()
    }

    /// Delivered sends that their receivers' applications have not received so far.
    #[must_use]
    pub fn missing(&self) -> usize {
        check::missing(&self.log.lock())
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

    /// The longest that a send from `from` to `to` has waited for its outcome so far.
    #[must_use]
    pub fn longest_wait(&self, from: ClientNo, to: ClientNo) -> Duration {
        recovery::longest_wait(&self.log.lock(), from, to)
    }

    /// Waits until every send has its outcome and every delivered message has arrived, for a bounded time. The report
    /// counts those that are still missing.
    pub async fn settle(&self) {
        let begin = Instant::now();
        loop {
            let (open, queued) = self.unfinished();
            let patience = if queued > 0 { QUEUED_WITHIN } else { OUTCOME_WITHIN };
            if open == 0 || begin.elapsed() > patience {
                break;
            }
            sleep(CHECK_EVERY).await;
        }
        let begin = Instant::now();
        while self.missing() > 0 && begin.elapsed() < ARRIVED_WITHIN {
            sleep(CHECK_EVERY).await;
        }
    }

    /// Checks the log so far.
    #[must_use]
    pub fn report(&self) -> OracleReport {
        check::check(&self.log.lock())
    }

    /// How fast clients recovered from each fault, in the order of the faults.
    #[must_use]
    pub fn recoveries(&self) -> Vec<Recovery> {
        recovery::recoveries(&self.log.lock())
    }
}
