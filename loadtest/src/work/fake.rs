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

/// The fault of one message; messages of the server are numbered from 1.
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

/// The server.
#[derive(Debug, Clone, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    wrong: Option<(u64, Wrong)>,
    count: u64,
    held: Option<(String, LinkEvent)>,
    receivers: HashMap<String, mpsc::Sender<LinkEvent>>,
}

impl Fake {
    pub(super) fn new(wrong: Option<(u64, Wrong)>) -> Self {
        let fake = Self::default();
        fake.0.lock().unwrap().wrong = wrong;
        fake
    }
}

impl State {
    fn deliver(&self, to: &str, event: LinkEvent) {
        if let Some(receiver) = self.receivers.get(to) {
            receiver.try_send(event).unwrap();
        }
    }
}

impl Driver for Fake {
    type Link = FakeLink;

    fn promises(&self) -> Promises {
        Promises {
            outcomes: true,
            ..Promises::RELAYS
        }
    }

    fn nodes(&self) -> usize {
        1
    }

    async fn connect(&self, who: &Who) -> Result<(FakeLink, Greeting), Refusal> {
        let (sender, events) = mpsc::channel(1024);
        self.0.lock().unwrap().receivers.insert(who.peer.clone(), sender);
        let (name, address) = (who.peer.clone(), who.peer.clone());
        let (connect, authenticate) = (Duration::ZERO, Duration::ZERO);
        let greeting = Greeting {
            address,
            node: Some("n1".into()),
            connect,
            authenticate,
        };
        Ok((
            FakeLink {
                name,
                fake: self.clone(),
                events,
                sent: 0,
            },
            greeting,
        ))
    }
}

pub(super) struct FakeLink {
    name: String,
    fake: Fake,
    events: mpsc::Receiver<LinkEvent>,
    sent: u64,
}

impl Link for FakeLink {
    async fn send(&mut self, _: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        self.sent += 1;
        let (id, name) = (self.sent, &self.name);
        let mut state = self.fake.0.lock().unwrap();
        state.count += 1;
        let wrong = state
            .wrong
            .filter(|(number, _)| *number == state.count)
            .map(|(_, wrong)| wrong);
        let held = state.held.take();
        let message = |payload: &RawValue| LinkEvent::Message {
            from: Some(name.clone()),
            payload: payload.to_owned(),
        };
        match wrong {
            Some(Wrong::Lose | Wrong::LoseAndSayDelivered | Wrong::LoseAndReport) => {}
            Some(Wrong::ToTheSender) => state.deliver(name, message(payload)),
            Some(Wrong::SwapWithNext) => state.held = Some((to.to_owned(), message(payload))),
            Some(Wrong::Corrupt) => {
                let changed = payload.get().replacen("a=", "b=", 1);
                state.deliver(to, message(&RawValue::from_string(changed).unwrap()));
            }
            Some(Wrong::Double) => {
                state.deliver(to, message(payload));
                state.deliver(to, message(payload));
            }
            Some(Wrong::NoOutcome) | None => state.deliver(to, message(payload)),
        }
        if let Some((to, message)) = held {
            state.deliver(&to, message);
        }
        let outcome = match wrong {
            Some(Wrong::Lose | Wrong::NoOutcome) => return Ok(id),
            Some(Wrong::LoseAndReport) => Outcome::Failed("unreachable".into()),
            _ => Outcome::Delivered,
        };
        state.deliver(name, LinkEvent::Outcome { id, outcome });
        Ok(id)
    }

    async fn next(&mut self) -> LinkEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    async fn close(self) {}
}
