//! How a session comes to its next connection: which URL, what is said there, what a close code or a refusal
//! asks for. Not the waits and attempts themselves (`approach`).

use std::time::Duration;

use switchboard_protocol::{ClientShould, CloseCode};
use tokio::time::Instant;

use super::{
    SessionEvent,
    approach::{Approach, Opened, Step},
    handing::Then,
    link::{Link, Lost},
    task::{End, Task, at},
};
use crate::{AcksBy, ConnectError, ConnectOptions, Resume, client::NO_CLOSE_FRAME};

/// How long a request that was given up may still be acted on: a node that is frozen for longer has lost its
/// lease, and its sessions' windows are over.
const UNANSWERED_FOR: Duration = Duration::from_secs(60);

/// How to go on after a connection was lost.
#[derive(Debug)]
pub(super) enum After {
    /// Connect again without a wait.
    AtOnce,
    /// Connect again after a wait.
    Wait,
}

impl Task {
    /// Goes on until there is a connection. `held` is how the one before ended, where an attempt was under
    /// way already: it counts only if that attempt fails.
    pub(super) async fn connect(
        &mut self,
        mut approach: Approach,
        mut held: Option<Lost>,
    ) -> Result<Link, End> {
        let give_up = self.options.give_up_after.map(|after| Instant::now() + after);
        loop {
            if self.closing {
                return Err(End::closed());
            }
            // A new attempt waits until all is handed over: what waits there stays bounded.
            let may_step = self.handing.is_empty() || approach.is_opening();
            let step = tokio::select! {
                biased;
                () = self.events.closed() => return Err(End::closed()),
                command = self.commands.recv() => { self.obey(command); None }
                then = self.handing.hand(&self.events), if !self.handing.is_empty() => {
                    self.handed(then, None)?;
                    None
                }
                step = approach.step(), if may_step => Some(step),
                () = at(give_up) => {
                    return Err(End::new(NO_CLOSE_FRAME, "there was no connection for too long"));
                }
            };
            approach = match step {
                None => approach,
                Some(Step::Open) => self.open(),
                Some(Step::Opened(Ok(opened))) => return Ok(self.adopt(*opened)),
                Some(Step::Opened(Err(error))) => {
                    if let Some(lost) = held.take() {
                        self.judge(&lost, true)?;
                        self.tell_lost(&lost);
                    }
                    end_if_refused(&error)?;
                    self.gave_up(&error);
                    self.tell_lost(&error);
                    Approach::after(self.backoff.next_wait())
                }
            };
        }
    }

    /// An attempt at the next URL in turn, with what the application has by now.
    pub(super) fn open(&mut self) -> Approach {
        let urls = &self.options.urls;
        let url = urls.get(self.next_url % urls.len().max(1));
        let url = url.unwrap_or(&self.options.connect.url).clone();
        self.next_url = self.next_url.wrapping_add(1);
        let resume = (!self.resume_token.is_empty()).then(|| Resume {
            token: self.resume_token.clone(),
            seen: self.last_seq,
        });
        Approach::open(ConnectOptions {
            url,
            token: (self.token)(),
            acks: AcksBy::Client,
            resume,
            ..self.options.connect.clone()
        })
    }

    /// Takes a new connection into use. All of the one before must have been read.
    pub(super) fn adopt(&mut self, opened: Opened) -> Link {
        let Opened {
            socket,
            welcome,
            handshake,
            url,
            seen,
        } = opened;
        self.connections += 1;
        self.handing.push(
            SessionEvent::Connected {
                node: welcome.node,
                resumed: welcome.resumed,
                gap: welcome.gap,
                url,
                handshake,
            },
            Then::Nothing,
        );
        if !welcome.resumed && self.connections > 1 {
            self.fail(true, "the session was lost; it may or may not have arrived");
        }
        self.last_seq = if welcome.resumed { seen } else { 0 };
        self.resume_token = welcome.resume_token;
        self.outbox.repeat_all();
        let heartbeat = Duration::from_millis(welcome.heartbeat_ms);
        Link::new(socket, self.connections, heartbeat)
    }

    /// An attempt came to nothing. Where there was no answer, its node may have the request all the same.
    pub(super) fn gave_up(&mut self, error: &ConnectError) {
        match error {
            ConnectError::Timeout | ConnectError::WebSocket(_) | ConnectError::NoWelcome(_) => {
                self.unanswered = Some(Instant::now());
            }
            ConnectError::Url(_) | ConnectError::Refused { .. } | ConnectError::Io(_) => {}
        }
    }

    /// What the close code of a lost connection asks for. Where moving to another was attempted, it may have
    /// been replaced by that attempt, or its session taken up there, though the answer never came; this is no
    /// reason to stop then; nor is it for a while after any attempt that was never answered.
    pub(super) fn judge(&mut self, lost: &Lost, attempted: bool) -> Result<After, End> {
        let known = CloseCode::from_code(lost.code);
        let may_be_ours = self.unanswered.is_some_and(|at| at.elapsed() < UNANSWERED_FOR);
        if (attempted || may_be_ours) && matches!(known, Some(CloseCode::Replaced | CloseCode::Normal)) {
            return Ok(After::Wait);
        }
        match known.map(CloseCode::client_should) {
            Some(ClientShould::Stop | ClientShould::StopAndFix) => {
                Err(End::new(lost.code, lost.reason.as_str()))
            }
            Some(ClientShould::ResumeAtOnce | ClientShould::RenewToken) if !self.hurried => {
                self.hurried = true;
                Ok(After::AtOnce)
            }
            Some(ClientShould::ResumeAtOnce | ClientShould::RenewToken | ClientShould::Resume) | None => {
                Ok(After::Wait)
            }
        }
    }
}

fn end_if_refused(error: &ConnectError) -> Result<(), End> {
    match error {
        ConnectError::Refused {
            status: status @ (401 | 403),
            ..
        } => Err(End::new(*status, error.to_string())),
        ConnectError::Url(_)
        | ConnectError::Refused { .. }
        | ConnectError::Timeout
        | ConnectError::Io(_)
        | ConnectError::WebSocket(_)
        | ConnectError::NoWelcome(_) => Ok(()),
    }
}
