//! Questions to the shared record that wait for answers: one number for all peers of one command. Plain state. Bounded by
//! the broker's queue: for each peer that has no answer, a command is in it or at the bus.

use std::sync::Weak;

use hashbrown::HashMap;
use switchboard_protocol::{PeerKey, PeerPresence, PresenceState};
use tokio::sync::oneshot;

use crate::{
    broker::{error::BrokerError, presence::Located},
    session::handle::Session,
};

/// Who gets an answer.
#[derive(Debug)]
pub(crate) enum AskedBy {
    /// A client, with the `id` of its command, which begins a watch or not.
    Client {
        session: Weak<Session>,
        id: Option<u64>,
        is_watch: bool,
    },
    /// A part of this node, which asks for one peer.
    Node(oneshot::Sender<Result<Located, BrokerError>>),
}

/// What a question has become with one more answer.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Other peers are missing, or it has ended before.
    Waits,
    /// All peers are known.
    Client(Weak<Session>, Option<u64>, Vec<PeerPresence>),
    /// The bus does not tell; the client begins to watch these peers.
    Failed(Weak<Session>, Option<u64>, Vec<PeerKey>),
    /// For a part of this node.
    Node(
        oneshot::Sender<Result<Located, BrokerError>>,
        Result<Located, BrokerError>,
    ),
}

#[derive(Debug)]
struct Question {
    by: AskedBy,
    /// Sorted by name, each once.
    peers: Vec<(PeerKey, Option<PresenceState>)>,
    missing: usize,
}

/// All open questions of a node.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    open: HashMap<u64, Question>,
    last: u64,
}

impl Questions {
    /// Begins a question; returns its number. `peers` are sorted, each once, and at least one.
    pub(crate) fn begin(&mut self, by: AskedBy, peers: &[PeerKey]) -> u64 {
        self.last += 1;
        let question = Question {
            by,
            peers: peers.iter().map(|peer| (peer.clone(), None)).collect(),
            missing: peers.len(),
        };
        self.open.insert(self.last, question);
        self.last
    }

    /// Question `number` has an answer for `peer`.
    pub(crate) fn answer(
        &mut self,
        number: u64,
        peer: &PeerKey,
        answer: Result<Located, BrokerError>,
    ) -> Progress {
        let Some(question) = self.open.get_mut(&number) else {
            return Progress::Waits;
        };
        if let (Ok(located), AskedBy::Client { .. }) = (&answer, &question.by) {
            let at = question
                .peers
                .binary_search_by(|(asked, _)| asked.as_str().cmp(peer.as_str()));
            let known = at.ok().and_then(|at| question.peers.get_mut(at));
            if let Some((_, known)) = known.filter(|(_, known)| known.is_none()) {
                *known = Some(located.presence.state());
                question.missing -= 1;
            }
            if question.missing > 0 {
                return Progress::Waits;
            }
        }
        let Some(question) = self.take(number) else {
            return Progress::Waits;
        };
        let peers = question.peers.into_iter();
        match (question.by, answer) {
            (AskedBy::Node(waiter), answer) => Progress::Node(waiter, answer),
            (
                AskedBy::Client {
                    session,
                    id,
                    is_watch,
                },
                Err(_),
            ) => {
                let watched = peers.filter(|_| is_watch).map(|(peer, _)| peer);
                Progress::Failed(session, id, watched.collect())
            }
            (AskedBy::Client { session, id, .. }, Ok(_)) => {
                let presence = peers.filter_map(|(peer, state)| {
                    let peer = peer.peer_id();
                    state.map(|state| PeerPresence { peer, state })
                });
                Progress::Client(session, id, presence.collect())
            }
        }
    }

    fn take(&mut self, number: u64) -> Option<Question> {
        let question = self.open.remove(&number);
        if self.open.len() < self.open.capacity() / 4 {
            self.open.shrink_to(self.open.len() * 2);
        }
        question
    }

    /// Questions that wait for answers.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
