//! The task of a session: what lasts from connection to connection, and how it ends. How it connects is in
//! `connect`, what it does while connected in `serve`.

use std::{sync::Arc, time::Duration};

use switchboard_protocol::{CloseCode, ErrorCode, Secret};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until, timeout},
};

use super::{
    SessionEvent, SessionOptions, TokenSource,
    approach::Approach,
    handing::{Deserted, Handing, Then},
    link::Link,
    outbox::{Outbox, Unfinished},
    seen::Seen,
};
use crate::{Backoff, Outcome, client::CLOSE_TIMEOUT};

/// What the handle asks for.
#[derive(Debug)]
pub(super) enum Command {
    Send(Unfinished),
    Close,
}

/// Why the session is over.
#[derive(Debug)]
pub(super) struct End {
    code: u16,
    reason: String,
    /// Whether the application is there to be told, for as long as it takes.
    is_awaited: bool,
}

impl End {
    pub(super) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            is_awaited: true,
        }
    }

    /// The application closed the session.
    pub(super) fn closed() -> Self {
        Self {
            is_awaited: false,
            ..Self::new(CloseCode::Normal.code(), "closed by the application")
        }
    }
}

/// The task of a session.
pub(super) struct Task {
    pub(super) options: SessionOptions,
    pub(super) token: TokenSource,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<SessionEvent>,
    room: Arc<Semaphore>,
    pub(super) outbox: Outbox,
    pub(super) handing: Handing,
    pub(super) seen: Seen,
    pub(super) backoff: Backoff,
    /// Connections are numbered, so that an acknowledgement goes where its frame came from.
    pub(super) connections: u64,
    pub(super) resume_token: Secret,
    /// The last `seq` of the newest connection that was handed over, or what that connection was told. An
    /// older one's numbers may stand for other messages on this one.
    pub(super) last_seq: u64,
    pub(super) next_url: usize,
    /// When the last attempt was given up whose node may still act on it: frozen, say, and thawed later.
    pub(super) unanswered: Option<Instant>,
    /// A retry without a wait was made, and no steady connection since.
    pub(super) hurried: bool,
    /// The node that asked this client to move would keep it.
    pub(super) may_stay: bool,
    pub(super) closing: bool,
}

impl Task {
    pub(super) fn new(
        options: SessionOptions,
        token: TokenSource,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<SessionEvent>,
        room: Arc<Semaphore>,
    ) -> Self {
        Self {
            backoff: options.backoff.clone(),
            options,
            token,
            commands,
            events,
            room,
            outbox: Outbox::default(),
            handing: Handing::default(),
            seen: Seen::default(),
            connections: 0,
            resume_token: Secret::default(),
            last_seq: 0,
            next_url: 0,
            unanswered: None,
            hurried: false,
            may_stay: false,
            closing: false,
        }
    }

    pub(super) async fn run(mut self) {
        let mut approach = Approach::after(Duration::ZERO);
        let mut held = None;
        let end = loop {
            let link = match self.connect(approach, held).await {
                Ok(link) => link,
                Err(end) => break end,
            };
            match self.serve(link).await {
                Ok(lost) => (approach, held) = lost,
                Err(end) => break end,
            }
        };
        self.end(end).await;
    }

    /// A connection is done with; if it was a good one, the next failure is a first one again.
    pub(super) fn retire(&mut self, link: &Link) {
        if link.is_steady() {
            self.backoff.reset();
            self.hurried = false;
        }
    }

    pub(super) fn obey(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Send(send)) => self.outbox.keep(send),
            Some(Command::Close) | None => self.closing = true,
        }
    }

    /// Something was handed to the application.
    pub(super) fn handed(
        &mut self,
        then: Result<Then, Deserted>,
        link: Option<&mut Link>,
    ) -> Result<(), End> {
        match then.map_err(|Deserted| End::closed())? {
            Then::Nothing => {}
            Then::Finished => self.room.add_permits(1),
            Then::Refused { connection, seq } => {
                if let Some(link) = link.filter(|link| link.number == connection) {
                    link.acks.refuse(seq);
                }
            }
            Then::Processed { connection, seq } => {
                if connection == self.connections {
                    self.last_seq = seq;
                }
                if let Some(link) = link.filter(|link| link.number == connection) {
                    link.acks.owe(seq);
                }
            }
        }
        Ok(())
    }

    pub(super) fn tell_lost(&mut self, why: &impl ToString) {
        let reason = why.to_string();
        self.handing
            .push(SessionEvent::Disconnected { reason }, Then::Nothing);
    }

    /// The final word on a send, if it had none.
    pub(super) fn word(&mut self, id: u64, outcome: Outcome) {
        if self.outbox.finish(id) {
            self.handing
                .push(SessionEvent::Word { id, outcome }, Then::Finished);
        }
    }

    /// Gives up the sends that a connection was given, or those that none was.
    pub(super) fn fail(&mut self, transmitted: bool, message: &str) {
        for id in self.outbox.take(transmitted) {
            let outcome = Outcome::Failed {
                code: ErrorCode::Timeout,
                message: message.to_owned(),
            };
            self.handing
                .push(SessionEvent::Word { id, outcome }, Then::Finished);
        }
    }

    /// Lets nothing more in, ends what is unfinished, and tells the application.
    async fn end(mut self, end: End) {
        self.room.close();
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            self.obey(Some(command));
        }
        self.fail(true, "the session ended; it may or may not have arrived");
        self.fail(false, "the session ended before it was sent");
        let End {
            code,
            reason,
            is_awaited,
        } = end;
        self.handing
            .push(SessionEvent::Ended { code, reason }, Then::Nothing);
        let telling =
            async { while !self.handing.is_empty() && self.handing.hand(&self.events).await.is_ok() {} };
        if is_awaited {
            telling.await;
        } else {
            let _ = timeout(CLOSE_TIMEOUT, telling).await;
        }
    }
}

/// At that time, if ever.
pub(super) async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
