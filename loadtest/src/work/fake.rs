//! A server in memory for tests of the work: it delivers, and does wrong on demand. Tests only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;
use tokio::sync::mpsc;

use crate::drivers::{Broken, Driver, Greeting, Heard, Link, Promises, Refusal, Who, Word};

/// What is done to the message of that number, counted over all of the server's from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Lose,
    LoseAndSayDelivered,
    LoseAndTell,
    Double,
    SwapWithNext,
    Corrupt,
    ToTheSender,
    NoWord,
}

type Ears = Arc<Mutex<HashMap<String, mpsc::Sender<Heard>>>>;

/// The server.
#[derive(Debug)]
pub(super) struct Fake {
    ears: Ears,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    wrong: Option<(u64, Wrong)>,
    count: u64,
    held: Option<(String, Heard)>,
}

impl Fake {
    pub(super) fn new(wrong: Option<(u64, Wrong)>) -> Self {
        let state = State {
            wrong,
            count: 0,
            held: None,
        };
        Self {
            ears: Ears::default(),
            state: Arc::new(Mutex::new(state)),
        }
    }
}

impl Driver for Fake {
    type Link = FakeLink;

    fn promises(&self) -> Promises {
        Promises {
            final_words: true,
            names_sender: true,
            resumes: false,
        }
    }

    fn nodes(&self) -> usize {
        1
    }

    async fn connect(&self, who: &Who) -> Result<(FakeLink, Greeting), Refusal> {
        let (sender, events) = mpsc::channel(1024);
        self.ears.lock().unwrap().insert(who.peer.clone(), sender);
        let link = FakeLink {
            name: who.peer.clone(),
            ears: Arc::clone(&self.ears),
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
    ears: Ears,
    state: Arc<Mutex<State>>,
    events: mpsc::Receiver<Heard>,
    sent: u64,
}

impl FakeLink {
    fn hear(&self, whom: &str, heard: Heard) {
        if let Some(ears) = self.ears.lock().unwrap().get(whom) {
            ears.try_send(heard).unwrap();
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
        let message = |payload: &RawValue| Heard::Message {
            from: Some(self.name.clone()),
            payload: payload.to_owned(),
        };
        let word = |word| Heard::Word { id: self.sent, word };
        match wrong {
            Some(Wrong::Lose | Wrong::LoseAndSayDelivered | Wrong::LoseAndTell) => {}
            Some(Wrong::ToTheSender) => self.hear(&self.name, message(payload)),
            Some(Wrong::SwapWithNext) => {
                self.state.lock().unwrap().held = Some((to.to_owned(), message(payload)));
            }
            Some(Wrong::Corrupt) => {
                let changed = payload.get().replacen("a=", "b=", 1);
                self.hear(to, message(&RawValue::from_string(changed).unwrap()));
            }
            Some(Wrong::Double) => {
                self.hear(to, message(payload));
                self.hear(to, message(payload));
            }
            Some(Wrong::NoWord) | None => self.hear(to, message(payload)),
        }
        if let Some((to, message)) = held {
            self.hear(&to, message);
        }
        match wrong {
            Some(Wrong::Lose | Wrong::NoWord) => {}
            Some(Wrong::LoseAndTell) => self.hear(&self.name, word(Word::Failed("unreachable".into()))),
            _ => self.hear(&self.name, word(Word::Delivered)),
        }
        Ok(self.sent)
    }

    async fn next(&mut self) -> Heard {
        match self.events.recv().await {
            Some(heard) => heard,
            None => std::future::pending().await,
        }
    }

    async fn close(self) {}
}
