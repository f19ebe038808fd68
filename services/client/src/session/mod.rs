//! A peer whose session outlives its connections: the client's side of the delivery contract. Each send
//! ends in exactly one final word, each message of another peer is handed over once, whatever happens to
//! connections and nodes meanwhile. Not here: what is sent and why, which is the application's business.
//!
//! One task owns everything; the handle and the task share two bounded channels and a semaphore. Frames are
//! read only while everything read before has been handed to the application: a slow application slows its
//! node down and loses nothing.

mod acks;
mod approach;
mod connect;
mod event;
mod handing;
mod link;
mod options;
mod outbox;
mod seen;
mod serve;
mod task;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::value::RawValue;
use switchboard_protocol::MessageKind;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};

pub use event::{SessionError, SessionEvent};
pub use options::{SessionOptions, TokenSource};

use crate::client::CLOSE_TIMEOUT;
use outbox::Unfinished;
use task::{Command, Task};

/// A session. Dropping it ends the session's task at once, without a close handshake: to its node it looks
/// like a lost connection, so the session stays resumable for its window.
#[derive(Debug)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    /// Held while an id is given and its send queued, so that both are in one order. Never across an await.
    last_id: Mutex<u64>,
    task: JoinHandle<()>,
}

impl Session {
    /// Starts connecting, in a task of its own. The receiver must be read: while it is full, nothing more
    /// is read from the node. Dropping the receiver closes the session.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(options: SessionOptions, token: TokenSource) -> (Self, mpsc::Receiver<SessionEvent>) {
        let pending_messages = options.pending_messages();
        let (events, receiver) = mpsc::channel(options.events());
        // Room for all sends that may be unfinished, and for the wish to close.
        let (commands, queued) = mpsc::channel(pending_messages + 1);
        let room = Arc::new(Semaphore::new(pending_messages));
        let task = Task::new(options, token, queued, events, Arc::clone(&room));
        let session = Self {
            commands,
            room,
            last_id: Mutex::new(0),
            task: tokio::spawn(task.run()),
        };
        (session, receiver)
    }

    /// Queues a send; waits while the most allowed are unfinished. Returns its `id`, on which exactly one
    /// [`SessionEvent::Word`] follows.
    ///
    /// Words come out of the event channel: whoever sends and reads events in one task must not wait here
    /// with the channel full.
    ///
    /// # Errors
    /// [`SessionError::Ended`] when the session is over; nothing was queued then.
    pub async fn send(
        &self,
        kind: MessageKind,
        to: &str,
        payload: Box<RawValue>,
    ) -> Result<u64, SessionError> {
        let room = self.room.acquire().await.map_err(|_| SessionError::Ended)?;
        let mut last_id = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
        let id = *last_id + 1;
        let send = Unfinished::new(id, kind, to, payload);
        // The channel has a place for each permit, so it is never full here.
        self.commands
            .try_send(Command::Send(send))
            .map_err(|_| SessionError::Ended)?;
        *last_id = id;
        // The task gives the room back with the final word.
        room.forget();
        Ok(id)
    }

    /// Writes what is queued, closes the connection with a whole close handshake and ends the session.
    /// Sends without a final word by then get [`SessionEvent::Word`] with an error. Takes at most a few
    /// seconds; what the event channel has no room for by then is dropped.
    pub async fn close(mut self) {
        // Fails only when the task is over or closing already.
        let _ = self.commands.try_send(Command::Close);
        let _ = timeout(CLOSE_TIMEOUT * 3, &mut self.task).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}
