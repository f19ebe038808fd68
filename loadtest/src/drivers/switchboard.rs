//! The driver of this project's own servers, in two shapes: a session, which outlives its connections, or a bare
//! connection, which costs the generator less.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use switchboard_client::{
    Backoff, Client, ClientError, ConnectError, ConnectOptions, Session, SessionEvent, SessionOptions,
};
use switchboard_protocol::{Event, MessageKind, ReceiptStatus, SendOutcome, ServerFrame};
use tokio::{sync::mpsc, time::timeout};

use super::{Broken, Driver, Greeting, Heard, Link, Promises, Refusal, Who, Word, tokens::Tokens};

/// How long a connect may take, retries of a session included.
const CONNECT: Duration = Duration::from_secs(15);

/// Events that a session keeps for its reader, and sends without a final word that it keeps.
const EVENTS: usize = 64;
const UNFINISHED: usize = 8192;

/// The waits of a session between attempts: quick, as the figures are about the servers.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Switchboard's nodes.
#[derive(Debug)]
pub(crate) struct Switchboard {
    /// One address a node.
    pub(crate) urls: Vec<String>,
    /// Signs what peers connect with.
    pub(crate) tokens: Arc<Tokens>,
    /// Sessions instead of bare connections.
    pub(crate) resume: bool,
    /// Whether sends carry an id, and so get a final word. A session's always do.
    pub(crate) final_words: bool,
}

impl Switchboard {
    async fn connect_once(&self, who: &Who) -> Result<(SwitchboardLink, Greeting), Refusal> {
        let mut options = ConnectOptions::new(
            who.pick(&self.urls)?,
            self.tokens
                .mint(&who.peer)
                .map_err(|error| Refusal(error.to_string()))?,
        );
        options.bind_address = who.source;
        options.timeout = CONNECT;
        let client = Client::connect(&options).await.map_err(|error| refusal(&error))?;
        let handshake = client.handshake();
        let greeting = Greeting {
            address: who.peer.clone(),
            node: Some(client.welcome().node.to_string()),
            connect: handshake.connect,
            authenticate: handshake.authenticate,
        };
        let link = SwitchboardLink::Bare {
            client: Box::new(client),
            final_words: self.final_words,
            sent: 0,
            has_ended: false,
        };
        Ok((link, greeting))
    }

    async fn start_session(&self, who: &Who) -> Result<(SwitchboardLink, Greeting), Refusal> {
        // Its own node first, then the others in turn.
        let mut urls = self.urls.clone();
        urls.rotate_left(who.node % self.urls.len().max(1));
        let mut options = SessionOptions::new(urls);
        options.connect.bind_address = who.source;
        options.backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        options.events = EVENTS;
        options.pending_messages = UNFINISHED;
        let (tokens, peer) = (Arc::clone(&self.tokens), who.peer.clone());
        let source = Arc::new(move || tokens.mint(&peer).unwrap_or_default());
        let (session, mut events) = Session::start(options, source);
        let mut last = String::from("no answer in time");
        let welcome = async {
            while let Some(event) = events.recv().await {
                match event {
                    SessionEvent::Connected { node, handshake, .. } => return Ok((node, handshake)),
                    SessionEvent::Disconnected { reason } => last = reason,
                    SessionEvent::Ended { code, .. } => return Err(format!("{code}")),
                    SessionEvent::Message(_) | SessionEvent::Queued { .. } | SessionEvent::Outcome { .. } => {
                    }
                }
            }
            Err("the session ended".to_owned())
        };
        let welcome = timeout(CONNECT, welcome).await;
        let (node, handshake) = match welcome {
            Ok(Ok(welcome)) => welcome,
            Ok(Err(reason)) => return Err(Refusal(reason)),
            Err(_) => return Err(Refusal(last)),
        };
        let greeting = Greeting {
            address: who.peer.clone(),
            node: Some(node.to_string()),
            connect: handshake.connect,
            authenticate: handshake.authenticate,
        };
        Ok((SwitchboardLink::Session { session, events }, greeting))
    }
}

impl Driver for Switchboard {
    type Link = SwitchboardLink;

    fn promises(&self) -> Promises {
        Promises {
            final_words: self.final_words || self.resume,
            names_sender: true,
            resumes: self.resume,
        }
    }

    fn nodes(&self) -> usize {
        self.urls.len()
    }

    async fn connect(&self, who: &Who) -> Result<(Self::Link, Greeting), Refusal> {
        if self.resume {
            self.start_session(who).await
        } else {
            self.connect_once(who).await
        }
    }
}

/// A connected peer.
#[derive(Debug)]
pub(crate) enum SwitchboardLink {
    /// A session.
    Session {
        /// Its sending half.
        session: Session,
        /// What it hears.
        events: mpsc::Receiver<SessionEvent>,
    },
    /// One connection.
    Bare {
        /// It.
        client: Box<Client>,
        /// Whether sends carry an id.
        final_words: bool,
        /// Sends so far.
        sent: u64,
        /// Whether it was said that it is over.
        has_ended: bool,
    },
}

impl Link for SwitchboardLink {
    async fn send(&mut self, kind: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        match self {
            // It would wait while too many are unfinished; its reader is this task, so that could last for ever.
            Self::Session { session, .. } => session
                .send(kind, to, payload.to_owned())
                .now_or_never()
                .and_then(Result::ok)
                .ok_or(Broken),
            Self::Bare {
                client,
                final_words,
                sent,
                ..
            } => {
                let id = client.next_id();
                let id_sent = final_words.then_some(id);
                client
                    .send(kind, to, id_sent, payload)
                    .await
                    .map_err(|_| Broken)?;
                *sent += 1;
                Ok(*sent)
            }
        }
    }

    async fn next(&mut self) -> Heard {
        match self {
            Self::Session { events, .. } => loop {
                match events.recv().await {
                    Some(event) => {
                        if let Some(heard) = heard_by_session(event) {
                            return heard;
                        }
                    }
                    None => std::future::pending().await,
                }
            },
            Self::Bare {
                client, has_ended, ..
            } => loop {
                if *has_ended {
                    return std::future::pending().await;
                }
                match client.next().await {
                    Ok(frame) => {
                        if let Some(heard) = heard(frame) {
                            return heard;
                        }
                    }
                    Err(error) => {
                        *has_ended = true;
                        return Heard::Ended(ended(&error));
                    }
                }
            },
        }
    }

    async fn close(self) {
        match self {
            Self::Session { session, mut events } => {
                // What still comes has no reader; without one the session would wait for room.
                let drain = async { while events.recv().await.is_some() {} };
                tokio::join!(session.close(), drain);
            }
            Self::Bare {
                client, has_ended, ..
            } => {
                if !has_ended {
                    client.close().await;
                }
            }
        }
    }
}

fn heard(frame: ServerFrame) -> Option<Heard> {
    match frame {
        ServerFrame::Message(message) => Some(Heard::Message {
            from: Some(message.from),
            payload: message.payload,
        }),
        ServerFrame::Event(Event::Receipt {
            id,
            status: ReceiptStatus::Delivered,
        }) => Some(Heard::Word {
            id,
            word: Word::Delivered,
        }),
        ServerFrame::Event(Event::Error {
            id: Some(id), code, ..
        }) => Some(Heard::Word {
            id,
            word: Word::Failed(code.to_string()),
        }),
        ServerFrame::Event(_) => None,
    }
}

fn heard_by_session(event: SessionEvent) -> Option<Heard> {
    Some(match event {
        SessionEvent::Connected {
            node, resumed, gap, ..
        } => Heard::Back {
            node: Some(node.to_string()),
            resumed,
            gap,
        },
        SessionEvent::Disconnected { reason } => Heard::Lost(reason),
        SessionEvent::Message(message) => Heard::Message {
            from: Some(message.from),
            payload: message.payload,
        },
        SessionEvent::Queued { .. } => return None,
        SessionEvent::Outcome { id, report } => Heard::Word {
            id,
            word: match report.outcome {
                SendOutcome::Delivered => Word::Delivered,
                SendOutcome::Error(code) => Word::Failed(code.to_string()),
            },
        },
        SessionEvent::Ended { code, .. } => Heard::Ended(format!("ended with {code}")),
    })
}

/// A short text that is the same for all connects that fail alike.
fn refusal(error: &ConnectError) -> Refusal {
    Refusal(match error {
        ConnectError::Refused { status, problem } => {
            let code = problem.as_ref().map_or("", |problem| problem.code.as_str());
            format!("{status} {code}").trim_end().to_owned()
        }
        ConnectError::Io(error) => format!("{}", error.kind()),
        ConnectError::Timeout => "no answer in time".to_owned(),
        ConnectError::Url(_) => error.to_string(),
        ConnectError::WebSocket(_) => "the handshake failed".to_owned(),
        ConnectError::NoWelcome(_) => "no welcome".to_owned(),
    })
}

fn ended(error: &ClientError) -> String {
    match error {
        ClientError::Closed { code, .. } => format!("closed with {code}"),
        ClientError::WebSocket(_) => "the connection broke".to_owned(),
        ClientError::Timeout | ClientError::BufferFull(_) | ClientError::Frame(_) => error.to_string(),
    }
}
