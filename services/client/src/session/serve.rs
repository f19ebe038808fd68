//! What a session does while it is connected: frames in, sends out, and moving to another node when this
//! one asks for it – the new connection first, the old one read to its end, only then the new one's frames.

use std::time::Duration;

use switchboard_protocol::{
    ClientShould, CloseCode, Event, GoawayReason, ReceiptStatus, ServerFrame, ServerMessage,
};
use tokio::time::{Instant, timeout};

use super::{
    SessionEvent,
    approach::{Approach, Step},
    connect::After,
    handing::Then,
    link::{Link, Lost},
    seen::Verdict,
    task::{End, Task, at},
};
use crate::{Outcome, client::CLOSE_TIMEOUT};

/// How long the old connection is read once the new one is welcome. Its node closes it before that, so this
/// is for nodes that cannot.
const READ_OUT: Duration = Duration::from_secs(1);

/// The longest wait that a node can ask for before its client moves.
const MOVE_WITHIN: Duration = Duration::from_secs(60);

/// What happened in one turn of a connection.
enum Turn {
    /// Something that is done with.
    Went,
    Read(Result<ServerFrame, Lost>),
    Step(Step),
    /// The time given is reached.
    Late,
}

impl Task {
    /// Uses `link` until it is lost, and says how to go on: with the attempt that is under way already, where
    /// there is one, and then with how this connection ended in case that attempt fails.
    pub(super) async fn serve(&mut self, mut link: Link) -> Result<(Approach, Option<Lost>), End> {
        let mut approach = Approach::Idle;
        let mut attempted = false;
        loop {
            if self.closing {
                self.close(link).await;
                return Err(End::closed());
            }
            let reading = self.handing.is_empty();
            let due = link.due(reading);
            let lost = match self.turn(&mut link, Some(&mut approach), due).await? {
                Turn::Went => None,
                Turn::Read(Ok(frame)) => {
                    self.take(frame, &link, Some(&mut approach));
                    None
                }
                Turn::Read(Err(lost)) => Some(lost),
                Turn::Step(Step::Open) => {
                    approach = self.open();
                    attempted = true;
                    None
                }
                Turn::Step(Step::Opened(Ok(opened))) => {
                    approach = Approach::Idle;
                    self.read_out(&mut link).await?;
                    self.retire(&link);
                    link = self.adopt(*opened);
                    attempted = false;
                    None
                }
                Turn::Step(Step::Opened(Err(error))) => {
                    self.gave_up(&error);
                    approach = match self.may_stay {
                        true => Approach::Idle,
                        false => Approach::after(self.backoff.next_wait()),
                    };
                    None
                }
                Turn::Late => link.is_dead(reading),
            };
            if let Some(lost) = lost {
                self.retire(&link);
                return self.lost(lost, approach, attempted);
            }
        }
    }

    /// One thing at a time, of all that may happen. Sends are written only by a connection that may be left
    /// on an `approach`: one that is only read out must not be given any more. What comes first here cannot
    /// starve the rest: each is bounded by the sends let in or by the application's reading.
    async fn turn(
        &mut self,
        link: &mut Link,
        approach: Option<&mut Approach>,
        until: Option<Instant>,
    ) -> Result<Turn, End> {
        let reading = self.handing.is_empty();
        let outbox = approach.is_some().then_some(&mut self.outbox);
        let step = async {
            match approach {
                Some(approach) => approach.step().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.events.closed() => self.closing = true,
            command = self.commands.recv(), if !self.closing => self.obey(command),
            step = step => return Ok(Turn::Step(step)),
            then = self.handing.hand(&self.events), if !reading => self.handed(then, Some(link))?,
            read = link.turn(outbox, reading) => return Ok(Turn::Read(read)),
            () = at(until) => return Ok(Turn::Late),
        }
        Ok(Turn::Went)
    }

    /// A frame of `link`. A connection that is only read out cannot be left again.
    fn take(&mut self, frame: ServerFrame, link: &Link, approach: Option<&mut Approach>) {
        match frame {
            ServerFrame::Message(message) => self.take_message(message, link.number),
            ServerFrame::Event(Event::Receipt {
                id,
                status: ReceiptStatus::Delivered,
            }) => self.word(id, Outcome::Delivered),
            ServerFrame::Event(Event::Receipt {
                id,
                status: ReceiptStatus::Queued,
            }) => {
                if self.outbox.queued(id) {
                    self.handing.push(SessionEvent::Queued { id }, Then::Nothing);
                }
            }
            ServerFrame::Event(Event::Error {
                id: Some(id),
                code,
                message,
                ..
            }) => {
                let message = message.into_owned();
                self.word(id, Outcome::Failed { code, message });
            }
            ServerFrame::Event(Event::Goaway {
                reason,
                reconnect_after_ms,
            }) => {
                // Who is only to make room tries once: the session here is better than a new one elsewhere, and the
                // node asks again.
                self.may_stay = match reason {
                    GoawayReason::Rebalancing => true,
                    GoawayReason::Draining => false,
                };
                if let Some(approach) = approach.filter(|approach| approach.is_idle()) {
                    let asked = Duration::from_millis(reconnect_after_ms).min(MOVE_WITHIN);
                    // Nodes that send their clients from one to another must not make them spin.
                    let spaced = match link.is_steady() {
                        true => Duration::ZERO,
                        false => self.backoff.next_wait(),
                    };
                    *approach = Approach::after(asked.max(spaced));
                }
            }
            // Nothing of a session; a token that expires is replaced when the node closes for it.
            ServerFrame::Event(
                Event::Welcome(_)
                | Event::Error { id: None, .. }
                | Event::Ice { .. }
                | Event::Expiring { .. }
                | Event::Renewed { .. }
                | Event::Pong { .. },
            ) => {}
        }
    }

    fn take_message(&mut self, message: ServerMessage, connection: u64) {
        let seq = message.seq;
        let then = Then::Processed { connection, seq };
        match self.seen.note(&message.mid) {
            Verdict::New => self.handing.push(SessionEvent::Message(message), then),
            // The first one may still wait to be handed over: its repetition is acknowledged after it.
            Verdict::Repeated => self.handing.push_silent(then),
            Verdict::Late => self.handing.push_silent(Then::Refused { connection, seq }),
        }
    }

    /// Reads the old connection to its end, so that its messages come before those of the new one.
    async fn read_out(&mut self, link: &mut Link) -> Result<(), End> {
        let until = Instant::now() + READ_OUT;
        while !self.closing {
            match self.turn(link, None, Some(until)).await? {
                Turn::Went => {}
                Turn::Read(Ok(frame)) => self.take(frame, link, None),
                Turn::Read(Err(_)) | Turn::Late | Turn::Step(_) => break,
            }
        }
        Ok(())
    }

    /// The connection is gone. While another is being opened this may be that one's doing – its node has the
    /// old one closed – and is told and judged only if that attempt fails. Being thrown out is not.
    fn lost(
        &mut self,
        lost: Lost,
        approach: Approach,
        attempted: bool,
    ) -> Result<(Approach, Option<Lost>), End> {
        let is_final = CloseCode::from_code(lost.code).is_some_and(|known| {
            known == CloseCode::Kicked || known.client_should() == ClientShould::StopAndFix
        });
        if approach.is_opening() && !is_final {
            return Ok((approach, Some(lost)));
        }
        let after = self.judge(&lost, attempted)?;
        self.tell_lost(&lost);
        let wait = match after {
            After::AtOnce => Duration::ZERO,
            After::Wait => self.backoff.next_wait(),
        };
        Ok((Approach::after(wait), None))
    }

    /// Ends with a close handshake. Final words that come with it still count; messages are left to their
    /// senders' nodes, as nobody acknowledges them.
    async fn close(&mut self, mut link: Link) {
        let handshake = async {
            if link.send_close(&mut self.outbox).await.is_err() {
                return;
            }
            while let Ok(frame) = link.turn(None, true).await {
                match frame {
                    ServerFrame::Message(_) => {}
                    event @ ServerFrame::Event(_) => self.take(event, &link, None),
                }
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    }
}
