//! The driver of this project's own servers, in two shapes: a session, which outlives its connections, or a bare
//! connection, which costs the generator less.

use std::{future::pending, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use switchboard_client::{
    Backoff, Client, ClientError, ConnectError, ConnectOptions, Handshake, Session, SessionError,
    SessionEvent, SessionOptions, Trust,
};
use switchboard_protocol::{Event, MessageKind, ReceiptStatus, SendOutcome, ServerFrame};
use tokio::{sync::mpsc, time::timeout};

use super::{
    Broken, Driver, Greeting, Link, LinkEvent, Outcome, Promises, Refusal, RoomLink, Who, tokens::Tokens,
};

/// How long a connect may take, retries of a session included.
const CONNECT_TIME: Duration = Duration::from_secs(15);

/// Events that a session keeps for its reader, and unfinished sends that it keeps.
const MAX_EVENTS: usize = 64;
const MAX_UNFINISHED: usize = 8192;

/// The waits of a session between attempts: quick, as the figures are about the servers.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Switchboard's nodes.
#[derive(Debug)]
pub(crate) struct Switchboard {
    /// One address a node.
    pub(crate) urls: Vec<String>,
    /// Whom it trusts behind `wss://`.
    pub(crate) trust: Trust,
    /// Signs the tokens of peers.
    pub(crate) tokens: Arc<Tokens>,
    /// Sessions instead of bare connections.
    pub(crate) resume: bool,
    /// Whether sends carry an id, and so get an outcome. A session's always do.
    pub(crate) outcomes: bool,
}

impl Switchboard {
    async fn connect_once(&self, who: &Who) -> Result<(SwitchboardLink, Greeting), Refusal> {
        let token = self
            .tokens
            .mint(&who.peer)
            .map_err(|error| Refusal(error.to_string()))?;
        let mut options = ConnectOptions::new(who.pick(&self.urls)?, token);
        options.bind_address = who.source;
        options.trust = self.trust.clone();
        options.timeout = CONNECT_TIME;
        let client = Client::connect(&options).await.map_err(|error| refusal(&error))?;
        let greeting = greeting(who, client.welcome().node.to_string(), client.handshake());
        let (client, outcomes) = (Box::new(client), self.outcomes);
        Ok((
            SwitchboardLink::Bare {
                client,
                outcomes,
                sent: 0,
                has_ended: false,
            },
            greeting,
        ))
    }

    async fn start_session(&self, who: &Who) -> Result<(SwitchboardLink, Greeting), Refusal> {
        // Its own node first, then the others in turn.
        let mut urls = self.urls.clone();
        urls.rotate_left(who.node % self.urls.len().max(1));
        let mut options = SessionOptions::new(urls);
        options.connect.bind_address = who.source;
        options.connect.trust = self.trust.clone();
        options.backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        options.events = MAX_EVENTS;
        options.pending_messages = MAX_UNFINISHED;
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
                    SessionEvent::Message(_)
                    | SessionEvent::Queued { .. }
                    | SessionEvent::Outcome { .. }
                    | SessionEvent::Room(_)
                    | SessionEvent::Presence { .. }
                    | SessionEvent::Failed { .. } => {}
                }
            }
            Err("the session ended".to_owned())
        };
        let welcome = timeout(CONNECT_TIME, welcome).await.unwrap_or(Err(last));
        let (node, handshake) = welcome.map_err(Refusal)?;
        let greeting = greeting(who, node.to_string(), handshake);
        Ok((SwitchboardLink::Session { session, events }, greeting))
    }
}

fn greeting(who: &Who, node: String, handshake: Handshake) -> Greeting {
    Greeting {
        address: who.peer.clone(),
        node: Some(node),
        connect: handshake.connect,
        authenticate: handshake.authenticate,
    }
}

impl Driver for Switchboard {
    type Link = SwitchboardLink;

    fn promises(&self) -> Promises {
        let (outcomes, resumes) = (self.outcomes || self.resume, self.resume);
        Promises {
            outcomes,
            names_sender: true,
            resumes,
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
        /// Its events.
        events: mpsc::Receiver<SessionEvent>,
    },
    /// One connection.
    Bare {
        /// The connection.
        client: Box<Client>,
        /// Whether sends carry an id.
        outcomes: bool,
        /// Sends so far.
        sent: u64,
        /// Whether [`LinkEvent::Ended`] was reported.
        has_ended: bool,
    },
}

impl Link for SwitchboardLink {
    async fn send(&mut self, kind: MessageKind, to: &str, payload: &RawValue) -> Result<u64, Broken> {
        match self {
            Self::Session { session, .. } => accepted(session.send(kind, to, payload.to_owned())),
            Self::Bare {
                client,
                outcomes,
                sent,
                ..
            } => {
                let id = client.next_id();
                let id = outcomes.then_some(id);
                client.send(kind, to, id, payload).await.map_err(|_| Broken)?;
                *sent += 1;
                Ok(*sent)
            }
        }
    }

    async fn next(&mut self) -> LinkEvent {
        loop {
            let event = match self {
                Self::Session { events, .. } => match events.recv().await {
                    Some(event) => session_event(event),
                    None => pending().await,
                },
                Self::Bare { has_ended: true, .. } => pending().await,
                Self::Bare {
                    client, has_ended, ..
                } => match client.next().await {
                    Ok(frame) => frame_event(frame),
                    Err(error) => {
                        *has_ended = true;
                        Some(LinkEvent::Ended(ended(&error)))
                    }
                },
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    async fn close(self) {
        match self {
            Self::Session { session, mut events } => {
                // Events that still come have no reader; without one the session would wait for room.
                let drain = async { while events.recv().await.is_some() {} };
                tokio::join!(session.close(), drain);
            }
            Self::Bare { has_ended: true, .. } => {}
            Self::Bare { client, .. } => client.close().await,
        }
    }
}

/// Rooms need a session, which keeps its memberships over the loss of a connection.
impl RoomLink for SwitchboardLink {
    async fn join(&mut self, room: &str) -> Result<u64, Broken> {
        accepted(self.session()?.join(room, None))
    }

    async fn leave(&mut self, room: &str) -> Result<u64, Broken> {
        accepted(self.session()?.leave(room))
    }

    async fn send_to_room(
        &mut self,
        kind: MessageKind,
        room: &str,
        payload: &RawValue,
    ) -> Result<u64, Broken> {
        accepted(self.session()?.send_to_room(kind, room, payload.to_owned()))
    }
}

impl SwitchboardLink {
    const fn session(&self) -> Result<&Session, Broken> {
        match self {
            Self::Session { session, .. } => Ok(session),
            Self::Bare { .. } => Err(Broken),
        }
    }
}

/// A request would wait while too many are unfinished; its reader is this task, so that could last for ever.
fn accepted(request: impl Future<Output = Result<u64, SessionError>>) -> Result<u64, Broken> {
    request.now_or_never().and_then(Result::ok).ok_or(Broken)
}

fn frame_event(frame: ServerFrame) -> Option<LinkEvent> {
    let (id, outcome) = match frame {
        ServerFrame::Message(message) => {
            let (from, payload) = (Some(message.from), message.payload);
            return Some(LinkEvent::Message { from, payload });
        }
        ServerFrame::Event(Event::Receipt {
            id,
            status: ReceiptStatus::Delivered,
        }) => (id, Outcome::Delivered),
        ServerFrame::Event(Event::Error { id, code, .. }) => (id?, Outcome::Failed(code.to_string())),
        ServerFrame::Event(_) => return None,
    };
    Some(LinkEvent::Outcome { id, outcome })
}

fn session_event(event: SessionEvent) -> Option<LinkEvent> {
    Some(match event {
        SessionEvent::Connected {
            node, resumed, gap, ..
        } => LinkEvent::Reconnected {
            node: Some(node.to_string()),
            resumed,
            gap,
        },
        SessionEvent::Disconnected { reason } => LinkEvent::Disconnected(reason),
        SessionEvent::Message(message) => match message.room {
            Some(room) => LinkEvent::RoomMessage {
                room,
                from: message.from,
                payload: message.payload,
            },
            None => LinkEvent::Message {
                from: Some(message.from),
                payload: message.payload,
            },
        },
        SessionEvent::Room(event) => LinkEvent::Room(event),
        SessionEvent::Failed { id, code, .. } => LinkEvent::Refused {
            id,
            reason: code.to_string(),
        },
        SessionEvent::Queued { .. } | SessionEvent::Presence { .. } => return None,
        SessionEvent::Outcome { id, report } => {
            let outcome = match report.outcome {
                SendOutcome::Delivered | SendOutcome::Published => Outcome::Delivered,
                SendOutcome::Error(code) => Outcome::Failed(code.to_string()),
            };
            LinkEvent::Outcome { id, outcome }
        }
        SessionEvent::Ended { code, .. } => LinkEvent::Ended(format!("ended with {code}")),
    })
}

/// A short text that is the same for all connects that fail alike.
fn refusal(error: &ConnectError) -> Refusal {
    Refusal(match error {
        ConnectError::Refused { status, problem, .. } => {
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
