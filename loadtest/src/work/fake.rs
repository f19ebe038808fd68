//! A server in memory for tests of the work: it delivers, and does wrong on demand. Tests only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;
use tokio::sync::mpsc;

use crate::drivers::{Broken, Driver, Greeting, Link, LinkEvent, Outcome, Promises, Refusal, Who};

/// What is done to the message of that number, counted over all of the server's from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Lose,
    LoseAndSayDelivered,
    LoseAndReport,
    Double,
    SwapWithNext,
    Corrupt,
    ToTheSender,
    NoOutcome,
}

type Receivers = Arc<Mutex<HashMap<String, mpsc::Sender<LinkEvent>>>>;

/// The server.
#[derive(Debug)]
pub(super) struct Fake {
    receivers: Receivers,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    wrong: Option<(u64, Wrong)>,
    count: u64,
    held: Option<(String, LinkEvent)>,
}

impl Fake {
    pub(super) fn new(wrong: Option<(u64, Wrong)>) -> Self {
        let state = State {
            wrong,
            count: 0,
            held: None,
        };
        Self {
            receivers: Receivers::default(),
            state: Arc::new(Mutex::new(state)),
        }
    }
}

impl Driver for Fake {
    type Link = FakeLink;

    fn promises(&self) -> Promises {
        Promises {
            outcomes: true,
            names_sender: true,
            resumes: false,
        }
    }

    fn nodes(&self) -> usize {
        1
    }

    async fn connect(&self, who: &Who) -> Result<(FakeLink, Greeting), Refusal> {
        let (sender, events) = mpsc::channel(1024);
        self.receivers.lock().unwrap().insert(who.peer.clone(), sender);
        let link = FakeLink {
            name: who.peer.clone(),
            receivers: Arc::clone(&self.receivers),
            state: Arc::clone(&self.state),
            events,
            sent: 0,
        };
        let greeting = Greeting {
            address: who.peer.clone(),
            node: Some("n1".into()),
            connect: Duration::ZERO,
            authenticate: Duration::ZERO,
        };
        Ok((link, greeting))
    }
}

pub(super) struct FakeLink {
    name: String,
    receivers: Receivers,
    state: Arc<Mutex<State>>,
    events: mpsc::Receiver<LinkEvent>,
    sent: u64,
}

impl FakeLink {
    fn deliver(&self, whom: &str, event: LinkEvent) {
        if let Some(receivers) = self.receivers.lock().unwrap().get(whom) {
            receivers.try_send(event).unwrap();
        }
    }
}

impl Link for FakeLink {
    async fn send(&mut self, _: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        self.sent += 1;
        let (wrong, held) = {
            let mut state = self.state.lock().unwrap();
            state.count += 1;
            let wrong = state.wrong.filter(|(number, _)| *number == state.count);
            (wrong.map(|(_, wrong)| wrong), state.held.take())
        };
        let message = |payload: &RawValue| LinkEvent::Message {
            from: Some(self.name.clone()),
            payload: payload.to_owned(),
        };
        let outcome = |outcome| LinkEvent::Outcome {
            id: self.sent,
            outcome,
        };
        match wrong {
            Some(Wrong::Lose | Wrong::LoseAndSayDelivered | Wrong::LoseAndReport) => {}
            Some(Wrong::ToTheSender) => self.deliver(&self.name, message(payload)),
            Some(Wrong::SwapWithNext) => {
                self.state.lock().unwrap().held = Some((to.to_owned(), message(payload)));
            }
            Some(Wrong::Corrupt) => {
                let changed = payload.get().replacen("a=", "b=", 1);
                self.deliver(to, message(&RawValue::from_string(changed).unwrap()));
            }
            Some(Wrong::Double) => {
                self.deliver(to, message(payload));
                self.deliver(to, message(payload));
            }
            Some(Wrong::NoOutcome) | None => self.deliver(to, message(payload)),
        }
        if let Some((to, message)) = held {
            self.deliver(&to, message);
        }
        match wrong {
            Some(Wrong::Lose | Wrong::NoOutcome) => {}
            Some(Wrong::LoseAndReport) => {
                self.deliver(&self.name, outcome(Outcome::Failed("unreachable".into())))
            }
            _ => self.deliver(&self.name, outcome(Outcome::Delivered)),
        }
        Ok(self.sent)
    }

    async fn next(&mut self) -> LinkEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    async fn close(self) {}
}
