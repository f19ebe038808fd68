//! The state of a session's task, which outlives a connection, and its end. Not here: the task without a connection
//! (`connecting`), with one (`connected`), and the change between both (`driver`).

use std::sync::Arc;

use switchboard_protocol::{CloseCode, ErrorCode, Secret};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until, timeout},
};

use super::{
    SessionEvent, SessionOptions, TokenSource,
    connection::{Connection, ConnectionLoss},
    duplicate_filter::DuplicateFilter,
    event_queue::{EventQueue, FollowUp, ReceiverDropped},
    outbox::Outbox,
    reconnect::Reconnect,
    request::Request,
    standing::Standing,
};
use crate::{Backoff, SendReport, client::CLOSE_TIMEOUT};

/// What the handle asks for.
#[derive(Debug)]
pub(super) enum Command {
    Request(u64, Request),
    Close,
}

/// Why the session ended.
#[derive(Debug)]
pub(super) struct SessionEnd {
    code: u16,
    reason: String,
    /// Whether the last events wait for the application without a time limit.
    wait_for_receiver: bool,
}

impl SessionEnd {
    pub(super) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            wait_for_receiver: true,
        }
    }

    /// The application closed the session.
    pub(super) fn closed() -> Self {
        Self {
            wait_for_receiver: false,
            ..Self::new(CloseCode::Normal.code(), "closed by the application")
        }
    }
}

/// How a session continues after its connection was lost.
pub(super) struct Interruption {
    pub(super) reconnect: Reconnect,
    /// The loss, if it was not reported yet. It is reported only if the running attempt fails.
    pub(super) unreported_loss: Option<ConnectionLoss>,
}

/// The task of a session.
pub(super) struct Task {
    pub(super) options: SessionOptions,
    pub(super) token: TokenSource,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<SessionEvent>,
    send_permits: Arc<Semaphore>,
    pub(super) outbox: Outbox,
    pub(super) standing: Standing,
    pub(super) event_queue: EventQueue,
    pub(super) duplicate_filter: DuplicateFilter,
    pub(super) backoff: Backoff,
    /// Numbers the connections. An acknowledgement goes only to the connection of its frame.
    pub(super) connection_count: u64,
    pub(super) resume_token: Secret,
    /// The last `seq` of the newest connection that the application has, or the `seen` of its request. The numbers
    /// of an older connection may stand for other messages.
    pub(super) last_seq: u64,
    pub(super) next_url: usize,
    /// When the last attempt failed without an answer. Its node may be frozen and act on the request later.
    pub(super) unanswered_at: Option<Instant>,
    /// Whether there was a retry without a wait since the last stable connection.
    pub(super) retried_at_once: bool,
    /// Whether the node that asked for a move would keep this client.
    pub(super) move_is_optional: bool,
    pub(super) closing: bool,
}

impl Task {
    pub(super) fn new(
        options: SessionOptions,
        token: TokenSource,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<SessionEvent>,
        send_permits: Arc<Semaphore>,
    ) -> Self {
        Self {
            backoff: options.backoff.clone(),
            options,
            token,
            commands,
            events,
            send_permits,
            outbox: Outbox::default(),
            standing: Standing::default(),
            event_queue: EventQueue::default(),
            duplicate_filter: DuplicateFilter::default(),
            connection_count: 0,
            resume_token: Secret::default(),
            last_seq: 0,
            next_url: 0,
            unanswered_at: None,
            retried_at_once: false,
            move_is_optional: false,
            closing: false,
        }
    }

    /// Resets the backoff if the connection was stable.
    pub(super) fn reset_backoff_after(&mut self, connection: &Connection) {
        if connection.is_stable() {
            self.backoff.reset();
            self.retried_at_once = false;
        }
    }

    pub(super) fn on_command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Request(id, request)) => self.outbox.insert(id, request),
            Some(Command::Close) | None => self.closing = true,
        }
    }

    /// The application has an event, or dropped its receiver.
    pub(super) fn on_event_delivered(
        &mut self,
        delivered: Result<FollowUp, ReceiverDropped>,
        connection: Option<&mut Connection>,
    ) -> Result<(), SessionEnd> {
        match delivered.map_err(|ReceiverDropped| SessionEnd::closed())? {
            FollowUp::Nothing => {}
            FollowUp::ReleasePermit => self.send_permits.add_permits(1),
            FollowUp::Refuse {
                connection_number,
                seq,
            } => {
                if let Some(connection) = connection.filter(|current| current.number == connection_number) {
                    connection.acks.refuse(seq);
                }
            }
            FollowUp::Acknowledge {
                connection_number,
                seq,
            } => {
                if connection_number == self.connection_count {
                    self.last_seq = seq;
                }
                if let Some(connection) = connection.filter(|current| current.number == connection_number) {
                    connection.acks.acknowledge(seq);
                }
            }
        }
        Ok(())
    }

    pub(super) fn push_disconnected(&mut self, reason: &impl ToString) {
        let reason = reason.to_string();
        self.event_queue
            .push(SessionEvent::Disconnected { reason }, FollowUp::Nothing);
    }

    /// Fails the sends that a connection was given, or those that none was given.
    pub(super) fn fail_sends(&mut self, transmitted: bool, message: &str) {
        for id in self.outbox.remove_sends(transmitted) {
            let report = SendReport::failed(ErrorCode::Timeout, message);
            self.event_queue
                .push(SessionEvent::Outcome { id, report }, FollowUp::ReleasePermit);
        }
    }

    /// Accepts no more requests, fails the pending ones, and delivers the last events.
    pub(super) async fn end(mut self, end: SessionEnd) {
        self.send_permits.close();
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            self.on_command(Some(command));
        }
        self.fail_sends(true, "the session ended; it may or may not have arrived");
        self.fail_sends(false, "the session ended before it was sent");
        let SessionEnd {
            code,
            reason,
            wait_for_receiver,
        } = end;
        self.event_queue
            .push(SessionEvent::Ended { code, reason }, FollowUp::Nothing);
        let flush = async {
            while !self.event_queue.is_empty() && self.event_queue.deliver_next(&self.events).await.is_ok() {}
        };
        if wait_for_receiver {
            flush.await;
        } else {
            let _ = timeout(CLOSE_TIMEOUT, flush).await;
        }
    }
}

/// Completes at `time`; without one it never completes.
pub(super) async fn sleep_until_if_set(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
