//! Commands that wait for the loop of their connection, and how a request finds that connection.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use switchboard_core::Session;
use switchboard_protocol::{PeerKey, RelayOutcome, ResumeToken, SessionId};

use super::{MAX_COMMANDS, max_bytes, split};
use crate::{connection::frame::Frame, transport::poll::PollBuffer};

/// The connections of this node that take commands over HTTP. One entry for each, so `server.max_connections` bounds them.
#[derive(Default)]
pub(crate) struct Inputs(Mutex<HashMap<SessionId, Arc<Input>>>);

/// The commands of one connection.
pub(crate) struct Input {
    token: ResumeToken,
    session: Arc<Session>,
    waiting: Mutex<Waiting>,
    /// What waits for the next poll, if the client polls.
    events: Option<Arc<PollBuffer>>,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Frame>,
    bytes: usize,
    taken: u32,
    waker: Option<Waker>,
}

impl Inputs {
    /// Enters the connection of `session`.
    pub(crate) fn enter(
        self: &Arc<Self>,
        session: &Arc<Session>,
        token: ResumeToken,
        events: Option<Arc<PollBuffer>>,
    ) -> InputGuard {
        let input = Arc::new(Input {
            token,
            session: Arc::clone(session),
            waiting: Mutex::default(),
            events,
        });
        self.0.lock().insert(session.id(), Arc::clone(&input));
        InputGuard {
            inputs: Arc::clone(self),
            input,
        }
    }

    /// The events that wait for the polls of the session of `token`.
    pub(crate) fn events(&self, token: &ResumeToken, key: &PeerKey) -> Option<Arc<PollBuffer>> {
        self.find(token, key)?.events.clone()
    }

    /// Gives the commands in `text` to the connection of the session of `token`: all or none.
    pub(crate) fn offer(
        &self,
        token: &ResumeToken,
        key: &PeerKey,
        text: &str,
        message_bytes: usize,
    ) -> RelayOutcome {
        let Some(input) = self.find(token, key) else {
            return RelayOutcome::NoSession;
        };
        match split(text) {
            Ok(commands) => input.push(commands, message_bytes),
            Err(_) => RelayOutcome::Invalid,
        }
    }

    /// Only who has the secret of a session, and a token of its peer, may speak for it.
    fn find(&self, token: &ResumeToken, key: &PeerKey) -> Option<Arc<Input>> {
        let input = self.0.lock().get(&token.session).cloned()?;
        (input.token == *token && input.session.key() == key).then_some(input)
    }
}

impl Input {
    fn push(&self, commands: Vec<Frame>, message_bytes: usize) -> RelayOutcome {
        let bytes: usize = commands.iter().map(bytes_of).sum();
        let mut waiting = self.waiting.lock();
        if waiting.commands.len() + commands.len() > MAX_COMMANDS
            || waiting.bytes + bytes > max_bytes(message_bytes)
        {
            return RelayOutcome::Busy;
        }
        waiting.bytes += bytes;
        waiting.commands.extend(commands);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        RelayOutcome::Taken
    }
}

/// The connection's end of its input. Dropping it takes the connection off the list.
pub(crate) struct InputGuard {
    inputs: Arc<Inputs>,
    input: Arc<Input>,
}

impl InputGuard {
    /// The next command.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Frame> {
        let mut waiting = self.input.waiting.lock();
        let Some(command) = waiting.commands.pop_front() else {
            waiting.commands = VecDeque::new();
            waiting.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        waiting.bytes -= bytes_of(&command);
        waiting.taken = waiting.taken.wrapping_add(1);
        Poll::Ready(command)
    }

    /// How many commands were taken; wraps around.
    pub(crate) fn taken(&self) -> u32 {
        self.input.waiting.lock().taken
    }
}

fn bytes_of(frame: &Frame) -> usize {
    if let Frame::Text(text) = frame {
        text.len()
    } else {
        0
    }
}

impl Drop for InputGuard {
    fn drop(&mut self) {
        let mut inputs = self.inputs.0.lock();
        let id = self.input.session.id();
        // A newer connection of the same session may be on the list by now.
        if inputs
            .get(&id)
            .is_some_and(|input| Arc::ptr_eq(input, &self.input))
        {
            inputs.remove(&id);
            if inputs.len() * 4 < inputs.capacity() {
                let room = inputs.len() * 2;
                inputs.shrink_to(room);
            }
        }
    }
}
