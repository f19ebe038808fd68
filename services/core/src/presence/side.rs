//! Presence on this node: commands of clients and reports of the broker meet here. Not the rules of a watch
//! (`watch_table`), and not who may ask for whom (`session::command_gate`).
//!
//! Clients are informed with the table locked, so that what they hear last is the last state.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use switchboard_protocol::{ErrorCode, Event, PeerKey, PeerPresence, PresenceState};
use switchboard_telemetry::{Budget, BudgetScope};
use tokio::sync::{Notify, oneshot};

use super::{
    questions::{AskedBy, Progress, Questions},
    watch_table::{TooMany, WatchTable},
};
use crate::{
    broker::{
        error::BrokerError,
        presence::{Asker, Located},
    },
    context::Context,
    session::handle::Session,
};

/// How often clients that are behind are looked at, and records asked for again that could not be read.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

/// The number of the questions of the watch table itself.
const OF_THE_TABLE: u64 = 0;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceCommand {
    /// The state of peers, once.
    Lookup,
    /// The state of peers, now and at each change.
    Watch,
    /// The end of a watch.
    Unwatch,
}

pub(crate) struct PresenceSide {
    cx: Arc<Context>,
    questions: Mutex<Questions>,
    table: Mutex<WatchTable>,
    /// Somebody is behind, or a record could not be read.
    work: Notify,
}

impl PresenceSide {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        Self {
            cx,
            questions: Mutex::default(),
            table: Mutex::default(),
            work: Notify::new(),
        }
    }

    /// Tells clients what they missed. Never completes.
    pub(crate) async fn run(&self) {
        loop {
            self.work.notified().await;
            while self.table.lock().has_work() {
                tokio::time::sleep(CATCH_UP_EVERY).await;
                self.catch_up();
            }
        }
    }

    pub(crate) fn catch_up(&self) {
        let unread = self.table.lock().catch_up(&self.cx.limits);
        unread.iter().for_each(|peer| self.read(peer));
    }

    /// Carries out one command of the client of `session`, which may ask for `peers`.
    pub(crate) fn on_command(
        &self,
        session: &Arc<Session>,
        command: PresenceCommand,
        mut peers: Vec<PeerKey>,
        id: Option<u64>,
    ) {
        peers.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        peers.dedup();
        match command {
            PresenceCommand::Lookup => self.ask(session, &peers, id, false),
            PresenceCommand::Watch => self.watch(session, &peers, id),
            PresenceCommand::Unwatch => {
                let mut table = self.table.lock();
                let unwatched = table.unwatch(session, &peers);
                if id.is_some() {
                    let peers = Vec::new();
                    session.push_event(Event::Presence { id, peers });
                }
                self.report(&table);
                drop(table);
                self.end(&unwatched);
            }
        }
    }

    fn watch(&self, session: &Arc<Session>, peers: &[PeerKey], id: Option<u64>) {
        let mut table = self.table.lock();
        let watched = table.watch(session, peers, &self.cx.limits);
        self.report(&table);
        drop(table);
        let new = match watched {
            Ok(new) => new,
            Err(too_many) => return self.refuse(session, id, too_many),
        };
        if let Ok(broker) = self.cx.broker() {
            for peer in &new {
                if broker.watch(peer) {
                    self.read(peer);
                }
            }
        }
        self.ask(session, peers, id, true);
    }

    fn refuse(&self, session: &Session, id: Option<u64>, too_many: TooMany) {
        let limits = &self.cx.limits;
        let (scope, message) = match too_many {
            TooMany::OfPeer => (
                BudgetScope::Peer,
                format!(
                    "a peer watches at most {} others; end some with `unwatch`",
                    limits.watched_per_peer
                ),
            ),
            TooMany::OfNode => (
                BudgetScope::Node,
                "the peers of this node watch too many others".into(),
            ),
        };
        self.cx.telemetry.budget_refused(Budget::Watches, scope);
        session.push_event(Event::Error {
            id,
            code: ErrorCode::RateLimited,
            message: message.into(),
            retry_after_ms: None,
        });
    }

    /// Asks for `peers`; the client of `session` gets the answer.
    fn ask(&self, session: &Arc<Session>, peers: &[PeerKey], id: Option<u64>, is_watch: bool) {
        if peers.is_empty() {
            let peers = Vec::new();
            return session.push_event(Event::Presence { id, peers });
        }
        let by = AskedBy::Client {
            session: Arc::downgrade(session),
            id,
            is_watch,
        };
        let number = self.questions.lock().begin(by, peers);
        for peer in peers {
            // A peer of this node is known without the bus, which may be away.
            let outcome = match self.cx.registry.attached(peer.as_str()) {
                Some(session) => Ok(Some(Located::here(&self.cx.node, session.fence()))),
                None => self.locate_for(number, peer).map(|()| None),
            };
            if let Some(answer) = outcome.transpose() {
                self.on_located(number, peer, answer);
            }
        }
    }

    fn locate_for(&self, number: u64, peer: &PeerKey) -> Result<(), BrokerError> {
        self.cx.broker()?.locate(Asker::Query(number), peer)
    }

    /// Where `peer` is.
    ///
    /// # Errors
    /// [`BrokerError`] when the bus cannot tell.
    pub(crate) async fn locate(&self, peer: &PeerKey) -> Result<Located, BrokerError> {
        let (sender, answer) = oneshot::channel();
        let number = self
            .questions
            .lock()
            .begin(AskedBy::Node(sender), std::slice::from_ref(peer));
        if let Err(error) = self.locate_for(number, peer) {
            self.on_located(number, peer, Err(error));
        }
        // The broker answers each question once, unless it ends.
        answer.await.unwrap_or(Err(BrokerError::Unavailable))
    }

    /// Reads the record of a watched peer whose changes are received.
    fn read(&self, peer: &PeerKey) {
        if !self.table.lock().begin_read(peer.as_str()) {
            return;
        }
        if let Err(error) = self.locate_for(OF_THE_TABLE, peer) {
            self.on_located(OF_THE_TABLE, peer, Err(error));
        }
    }

    /// The broker answers question `number`.
    pub(crate) fn on_located(&self, number: u64, peer: &PeerKey, answer: Result<Located, BrokerError>) {
        if number == OF_THE_TABLE {
            let mut table = self.table.lock();
            match answer {
                Ok(located) => {
                    let informed = table.on_read(peer, &located, &self.cx.limits);
                    self.cx.telemetry.presence_changes(informed);
                }
                Err(_) => {
                    table.on_unread(peer);
                }
            }
            return self.note_work(&table);
        }
        let progress = self.questions.lock().answer(number, peer, answer);
        match progress {
            Progress::Waits => {}
            // The one who asked may have given up.
            Progress::Node(waiter, answer) => drop(waiter.send(answer)),
            Progress::Client(session, id, peers) => {
                if let Some(session) = session.upgrade() {
                    self.answer(&session, id, peers);
                }
            }
            Progress::Failed(session, id, peers) => {
                let Some(session) = session.upgrade() else { return };
                let mut table = self.table.lock();
                table.mark_behind(&session, &peers);
                session.push_event(Event::error(id, ErrorCode::BusUnavailable));
                self.note_work(&table);
            }
        }
    }

    /// What the table knows is informed, so that only later changes follow.
    fn answer(&self, session: &Session, id: Option<u64>, mut peers: Vec<PeerPresence>) {
        let mut table = self.table.lock();
        for presence in &mut peers {
            if let Ok(key) = session.key().sibling(presence.peer.as_str()) {
                presence.state = table.known_or(key.as_str(), presence.state);
            }
        }
        session.push_event(Event::Presence { id, peers });
    }

    /// Changes of `peer` (`tenant/peer`) are received from now on.
    pub(crate) fn on_watching(&self, peer: &str) {
        if let Ok(peer) = PeerKey::parse(peer) {
            self.read(&peer);
        }
    }

    /// A change of `peer` (`tenant/peer`) was received.
    pub(crate) fn on_change(&self, peer: &str, fence: u64, state: PresenceState) {
        let mut table = self.table.lock();
        let informed = table.on_change(peer, fence, state, &self.cx.limits);
        self.cx.telemetry.presence_changes(informed);
        self.note_work(&table);
    }

    /// The connection of `session` is gone, and its watches with it.
    pub(crate) fn forget(&self, session: &Session) {
        let mut table = self.table.lock();
        let unwatched = table.forget(session);
        self.report(&table);
        drop(table);
        self.end(&unwatched);
    }

    fn end(&self, unwatched: &[PeerKey]) {
        if let Ok(broker) = self.cx.broker() {
            unwatched.iter().for_each(|peer| broker.unwatch(peer));
        }
    }

    fn note_work(&self, table: &WatchTable) {
        if table.has_work() {
            self.work.notify_one();
        }
    }

    fn report(&self, table: &WatchTable) {
        let watches = i64::try_from(table.watches()).unwrap_or(i64::MAX);
        self.cx.telemetry.watches(watches);
    }

    /// Open questions, then peers that are watched and connections that watch.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        let (peers, watchers) = self.table.lock().len();
        (self.questions.lock().len(), peers, watchers)
    }
}
