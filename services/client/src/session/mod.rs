//! A peer whose session outlives its connections: the client's side of the delivery contract. Each send ends in
//! exactly one outcome, and each message of another peer is delivered once. Rooms stay joined and peers watched. Lost
//! connections and failed nodes change none of that. Not here: the content of messages, the members of rooms
//! (`roster`).
//!
//! One task owns all state. The handle and the task share two bounded channels and a semaphore. The task reads the
//! next frame only when the application has all events before it. A slow application slows its node and loses
//! nothing.

mod acks;
mod answers;
mod connected;
mod connecting;
mod connection;
mod driver;
mod duplicate_filter;
mod event;
mod event_queue;
mod options;
mod outbox;
mod reconnect;
mod request;
mod standing;
mod task;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use switchboard_protocol::{MAX_PEERS_PER_COMMAND, MessageKind};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};

pub use event::{RoomEvent, SessionError, SessionEvent};
pub use options::{SessionOptions, TokenSource};

use crate::client::CLOSE_TIMEOUT;
use request::{Request, Target};
use task::{Command, Task};

/// A session. Dropping it ends its task at once, without a close handshake. Its node sees a lost connection, so the
/// session can be resumed within its window.
#[derive(Debug)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    send_permits: Arc<Semaphore>,
    /// Locked while a request gets its id and enters the channel: ids and channel have one order. Never across an await.
    last_id: Mutex<u64>,
    task: JoinHandle<()>,
}

impl Session {
    /// Starts connecting in a new task. Read the receiver: while it is full, the task reads no frames. Dropping the
    /// receiver closes the session.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(options: SessionOptions, token: TokenSource) -> (Self, mpsc::Receiver<SessionEvent>) {
        let pending_messages = options.pending_messages();
        let (events, receiver) = mpsc::channel(options.events());
        // One place for each permit, and one for the close command.
        let (commands, command_receiver) = mpsc::channel(pending_messages + 1);
        let send_permits = Arc::new(Semaphore::new(pending_messages));
        let task = Task::new(
            options,
            token,
            command_receiver,
            events,
            Arc::clone(&send_permits),
        );
        let session = Self {
            commands,
            send_permits,
            last_id: Mutex::new(0),
            task: tokio::spawn(driver::run(task)),
        };
        (session, receiver)
    }

    /// Accepts a send to a peer and returns its `id`. Exactly one [`SessionEvent::Outcome`] follows for the `id`.
    ///
    /// Like each request, it waits while `pending_messages` requests have no answer. Answers come through the event
    /// channel. A task that both makes requests and reads events must not wait here while the channel is full.
    ///
    /// # Errors
    /// [`SessionError::Ended`] when the session ended. Nothing was sent.
    pub async fn send(
        &self,
        kind: MessageKind,
        to: &str,
        payload: Box<RawValue>,
    ) -> Result<u64, SessionError> {
        self.request_send(kind, Target::Peer(to.into()), payload, None)
            .await
    }

    /// As [`Session::send`]. A peer that is offline has `hold` to connect; the message waits for it.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn send_held(
        &self,
        kind: MessageKind,
        to: &str,
        payload: Box<RawValue>,
        hold: Duration,
    ) -> Result<u64, SessionError> {
        self.request_send(kind, Target::Peer(to.into()), payload, Some(hold))
            .await
    }

    /// As [`Session::send`], to the other members of a room.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn send_to_room(
        &self,
        kind: MessageKind,
        room: &str,
        payload: Box<RawValue>,
    ) -> Result<u64, SessionError> {
        self.request_send(kind, Target::Room(room.into()), payload, None)
            .await
    }

    /// Joins a room, and again after the loss of the session. [`RoomEvent::Joined`] or [`SessionEvent::Failed`] follows
    /// with the returned `id`. `info` is an object that the other members see.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn join(&self, room: &str, info: Option<Box<RawValue>>) -> Result<u64, SessionError> {
        let room = room.into();
        self.request(Request::Join { room, info }).await
    }

    /// Leaves a room. [`RoomEvent::Left`] or [`SessionEvent::Failed`] follows.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn leave(&self, room: &str) -> Result<u64, SessionError> {
        self.request(Request::Leave { room: room.into() }).await
    }

    /// Asks once for the state of peers. [`SessionEvent::Presence`] or [`SessionEvent::Failed`] follows.
    ///
    /// # Errors
    /// As [`Session::send`], and [`SessionError::TooManyPeers`].
    pub async fn lookup(&self, peers: Vec<String>) -> Result<u64, SessionError> {
        check_count(&peers)?;
        self.request(Request::Lookup { peers }).await
    }

    /// Asks for the state of peers now and at each change, and again after the loss of the session.
    /// [`SessionEvent::Presence`] or [`SessionEvent::Failed`] follows.
    ///
    /// # Errors
    /// As [`Session::lookup`].
    pub async fn watch(&self, peers: Vec<String>) -> Result<u64, SessionError> {
        check_count(&peers)?;
        self.request(Request::Watch { peers }).await
    }

    /// Ends the watch of peers. [`SessionEvent::Presence`] or [`SessionEvent::Failed`] follows.
    ///
    /// # Errors
    /// As [`Session::lookup`].
    pub async fn unwatch(&self, peers: Vec<String>) -> Result<u64, SessionError> {
        check_count(&peers)?;
        self.request(Request::Unwatch { peers }).await
    }

    async fn request_send(
        &self,
        kind: MessageKind,
        to: Target,
        payload: Box<RawValue>,
        hold: Option<Duration>,
    ) -> Result<u64, SessionError> {
        self.request(Request::Send {
            kind,
            to,
            payload,
            hold,
        })
        .await
    }

    async fn request(&self, request: Request) -> Result<u64, SessionError> {
        let permit = self
            .send_permits
            .acquire()
            .await
            .map_err(|_| SessionError::Ended)?;
        let mut last_id = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
        let id = *last_id + 1;
        // The channel has a place for each permit, so it is never full here.
        self.commands
            .try_send(Command::Request(id, request))
            .map_err(|_| SessionError::Ended)?;
        *last_id = id;
        // The task releases the permit with the answer.
        permit.forget();
        Ok(id)
    }

    /// Writes all accepted sends, closes the connection with a complete close handshake and ends the session. Sends
    /// without an outcome by then get [`SessionEvent::Outcome`] with an error. It takes a few seconds at most. Events
    /// that do not fit into the channel by then are dropped.
    pub async fn close(mut self) {
        // Fails only when the task has ended or is closing.
        let _ = self.commands.try_send(Command::Close);
        let _ = timeout(CLOSE_TIMEOUT * 3, &mut self.task).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const fn check_count(peers: &[String]) -> Result<(), SessionError> {
    if peers.len() > MAX_PEERS_PER_COMMAND {
        return Err(SessionError::TooManyPeers(peers.len()));
    }
    Ok(())
}
