//! A session while it has no connection: the URL and the request of an attempt, and what a close code or a refusal
//! asks for. Not here: the waits and attempts themselves (`reconnect`).

use std::time::Duration;

use switchboard_protocol::{ClientShould, CloseCode, Secret};
use tokio::time::Instant;

use super::{
    SessionEvent,
    connection::{Connection, ConnectionLoss},
    event_queue::FollowUp,
    reconnect::{Established, Reconnect, ReconnectStep},
    task::{Interruption, SessionEnd, Task, sleep_until_if_set},
};
use crate::{AcksBy, ConnectError, ConnectOptions, Resume, client::NO_CLOSE_FRAME};

/// How long a node may still act on a request whose client gave up. A node that was frozen for longer has lost its
/// lease, and the resume windows of its sessions have ended.
const UNANSWERED_WINDOW: Duration = Duration::from_secs(60);

/// The longest wait before an attempt that a node can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// When to connect again after a connection was lost.
#[derive(Debug)]
pub(super) enum Retry {
    AtOnce,
    /// After the wait that the node asks for, and a backoff: its clients must not all come back together.
    After(Duration),
}

impl Task {
    /// Attempts to connect until there is a connection.
    pub(super) async fn run_connecting(
        &mut self,
        interruption: Interruption,
    ) -> Result<Connection, SessionEnd> {
        let Interruption {
            mut reconnect,
            mut unreported_loss,
        } = interruption;
        let give_up = self.options.give_up_after.map(|after| Instant::now() + after);
        loop {
            if self.closing {
                return Err(SessionEnd::closed());
            }
            // A new attempt waits until the application has all events, so the queue stays bounded.
            let may_step = self.event_queue.is_empty() || reconnect.is_connecting();
            let step = tokio::select! {
                biased;
                () = self.events.closed() => return Err(SessionEnd::closed()),
                command = self.commands.recv() => { self.on_command(command); None }
                delivered = self.event_queue.deliver_next(&self.events), if !self.event_queue.is_empty() => {
                    self.on_event_delivered(delivered, None)?;
                    None
                }
                step = reconnect.next_step(), if may_step => Some(step),
                () = sleep_until_if_set(give_up) => {
                    return Err(SessionEnd::new(NO_CLOSE_FRAME, "there was no connection for too long"));
                }
            };
            reconnect = match step {
                None => reconnect,
                Some(ReconnectStep::AttemptDue) => self.start_attempt(),
                Some(ReconnectStep::AttemptEnded(Ok(established))) => {
                    return Ok(self.use_connection(*established));
                }
                Some(ReconnectStep::AttemptEnded(Err(error))) => {
                    if let Some(loss) = unreported_loss.take() {
                        self.retry_after_loss(&loss, true)?;
                        self.push_disconnected(&loss);
                    }
                    end_if_refused(&error)?;
                    self.note_failed_attempt(&error);
                    self.push_disconnected(&error);
                    let wait = self.wait_after_refusal(&error);
                    self.reconnect(Retry::After(wait))
                }
            };
        }
    }

    /// An attempt at the next URL, with the last `seq` that the application has.
    pub(super) fn start_attempt(&mut self) -> Reconnect {
        let urls = &self.options.urls;
        let url = urls.get(self.next_url % urls.len().max(1));
        let url = url.unwrap_or(&self.options.connect.url).clone();
        self.next_url = self.next_url.wrapping_add(1);
        let resume = (!self.resume_token.is_empty()).then(|| Resume {
            token: self.resume_token.clone(),
            seen: self.last_seq,
        });
        Reconnect::attempt(ConnectOptions {
            url,
            token: (self.token)(),
            acks: AcksBy::Client,
            resume,
            ..self.options.connect.clone()
        })
    }

    /// Takes a new connection into use. The connection before it was read to its end.
    pub(super) fn use_connection(&mut self, established: Established) -> Connection {
        let Established {
            socket,
            welcome,
            handshake,
            url,
            seen,
        } = established;
        self.connection_count += 1;
        self.event_queue.push(
            SessionEvent::Connected {
                node: welcome.node,
                resumed: welcome.resumed,
                gap: welcome.gap,
                url,
                handshake,
            },
            FollowUp::Nothing,
        );
        if !welcome.resumed && self.connection_count > 1 {
            self.fail_sends(true, "the session was lost; it may or may not have arrived");
            self.ask_again();
        }
        self.last_seq = if welcome.resumed { seen } else { 0 };
        self.resume_token = welcome.resume_token;
        self.outbox.rewind();
        let heartbeat = Duration::from_millis(welcome.heartbeat_ms);
        Connection::new(socket, self.connection_count, heartbeat)
    }

    /// The next attempt.
    pub(super) fn reconnect(&mut self, retry: Retry) -> Reconnect {
        Reconnect::after(match retry {
            Retry::AtOnce => Duration::ZERO,
            Retry::After(wait) => wait.min(MAX_RETRY_AFTER) + self.backoff.next_wait(),
        })
    }

    /// The wait that the node asks for. It speaks for itself alone: a client that knows another node tries that one.
    fn wait_after_refusal(&self, error: &ConnectError) -> Duration {
        match error {
            ConnectError::Refused { retry_after, .. } if self.options.urls.len() < 2 => {
                retry_after.unwrap_or_default()
            }
            ConnectError::Refused { .. }
            | ConnectError::Url(_)
            | ConnectError::Timeout
            | ConnectError::Io(_)
            | ConnectError::WebSocket(_)
            | ConnectError::NoWelcome(_) => Duration::ZERO,
        }
    }

    /// Notes an attempt that failed without an answer: its node may still have the request. A request that no node can
    /// read is not repeated: the next attempt asks for a new session.
    pub(super) fn note_failed_attempt(&mut self, error: &ConnectError) {
        match error {
            ConnectError::Refused { status: 400, .. } => self.resume_token = Secret::default(),
            ConnectError::Timeout | ConnectError::WebSocket(_) | ConnectError::NoWelcome(_) => {
                self.unanswered_at = Some(Instant::now());
            }
            ConnectError::Url(_) | ConnectError::Refused { .. } | ConnectError::Io(_) => {}
        }
    }

    /// What the close code of a lost connection asks for. The session itself may have caused 4409 or 1000: by an
    /// attempt to move, or by an attempt that was never answered. Neither ends it then.
    pub(super) fn retry_after_loss(
        &mut self,
        loss: &ConnectionLoss,
        attempted: bool,
    ) -> Result<Retry, SessionEnd> {
        let known = CloseCode::from_code(loss.code);
        let had_unanswered = self
            .unanswered_at
            .is_some_and(|at| at.elapsed() < UNANSWERED_WINDOW);
        if (attempted || had_unanswered) && matches!(known, Some(CloseCode::Replaced | CloseCode::Normal)) {
            return Ok(Retry::After(Duration::ZERO));
        }
        match known.map(CloseCode::client_should) {
            Some(ClientShould::Stop | ClientShould::StopAndFix) => {
                Err(SessionEnd::new(loss.code, loss.reason.as_str()))
            }
            Some(ClientShould::ResumeAtOnce | ClientShould::RenewToken) if !self.retried_at_once => {
                self.retried_at_once = true;
                Ok(Retry::AtOnce)
            }
            Some(ClientShould::ResumeAtOnce | ClientShould::RenewToken | ClientShould::Resume) | None => {
                Ok(Retry::After(loss.retry_after()))
            }
        }
    }
}

fn end_if_refused(error: &ConnectError) -> Result<(), SessionEnd> {
    match error {
        ConnectError::Refused {
            status: status @ (401 | 403),
            ..
        } => Err(SessionEnd::new(*status, error.to_string())),
        ConnectError::Url(_)
        | ConnectError::Refused { .. }
        | ConnectError::Timeout
        | ConnectError::Io(_)
        | ConnectError::WebSocket(_)
        | ConnectError::NoWelcome(_) => Ok(()),
    }
}
