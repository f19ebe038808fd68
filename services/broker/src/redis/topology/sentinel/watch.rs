//! Watches all Sentinels at once: each sends its news, and is asked every second. When the master changes, both connections
//! are dialled anew, also when the old ones look healthy: a frozen master keeps them open.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{
    ask::{Answer, Sentinel},
    election::Election,
};
use crate::redis::{
    endpoint::{Assigned, Endpoint},
    shard::state::Shard,
};

/// How often a Sentinel is asked that sends no news, and dialled that does not answer.
const ASK_EVERY: Duration = Duration::from_secs(1);

struct Watch {
    master: String,
    place: Assigned,
    shard: Arc<Shard>,
    state: Mutex<State>,
}

struct State {
    election: Election,
    /// No Sentinel answers, and that is logged.
    is_silent: bool,
    /// The Sentinels lack a quorum while the master is down, and that is logged.
    lacks_quorum: bool,
}

/// Keeps `place` where the Sentinels say the master is.
pub(super) async fn run(master: String, sentinels: Vec<Endpoint>, place: Assigned, shard: Arc<Shard>) {
    let watch = Watch {
        master,
        place,
        shard,
        state: Mutex::new(State {
            election: Election::new(sentinels.len()),
            is_silent: false,
            lacks_quorum: false,
        }),
    };
    let all = sentinels.iter().enumerate();
    join_all(all.map(|(number, sentinel)| watch.one(number, sentinel))).await;
}

impl Watch {
    async fn one(&self, number: usize, sentinel: &Endpoint) {
        loop {
            let Err(why) = self.converse(number, sentinel).await;
            self.note(number, Err(why));
            sleep(ASK_EVERY).await;
        }
    }

    /// Uses one connection as long as it works.
    async fn converse(&self, number: usize, sentinel: &Endpoint) -> Result<std::convert::Infallible, String> {
        let mut connection = Sentinel::connect(sentinel).await?;
        let named = |why: String| format!("{} {why}", sentinel.shown());
        loop {
            let answer = connection.master(&self.master).await.map_err(named)?;
            let is_down = answer.is_down;
            self.note(number, Ok(answer));
            if is_down {
                let quorum = connection.lacks_quorum(&self.master).await.map_err(named)?;
                self.note_quorum(quorum);
            }
            connection.news(ASK_EVERY).await.map_err(named)?;
        }
    }

    fn note(&self, number: usize, answer: Result<Answer, String>) {
        let mut state = self.state.lock();
        let changed = state.election.note(number, answer);
        let silence = state.election.silence();
        let was_silent = std::mem::replace(&mut state.is_silent, silence.is_some());
        if !state.election.is_down() && std::mem::take(&mut state.lacks_quorum) {
            tracing::info!(master = self.master, "the Sentinels reach the master again");
        }
        drop(state);
        match silence {
            Some(why) => {
                if !was_silent {
                    tracing::warn!(
                        master = self.master,
                        why,
                        "no Sentinel answers: a failover would stay unnoticed"
                    );
                }
                self.place
                    .set_unknown(format!("no Sentinel names the master `{}`: {why}", self.master));
            }
            None if was_silent => tracing::info!(master = self.master, "a Sentinel answers"),
            None => {}
        }
        if let Some(address) = changed {
            let to = address.to_string();
            let from = self.place.set(address);
            // Nobody dialled before the first master was named.
            match &from {
                Some(_) => self.shard.server_changed(),
                None => self.shard.server_found(),
            }
            let from = from.map(|from| from.to_string());
            tracing::info!(master = self.master, from, to, "the Sentinels name the master");
        }
    }

    /// The master is down, and the Sentinels lack a quorum to elect another, or not.
    fn note_quorum(&self, lacking: Option<String>) {
        let mut state = self.state.lock();
        let was_lacking = std::mem::replace(&mut state.lacks_quorum, lacking.is_some());
        drop(state);
        if let (Some(why), false) = (lacking, was_lacking) {
            tracing::warn!(
                master = self.master,
                why,
                "the master is down, and the Sentinels do not say that they can elect another"
            );
        }
    }
}
