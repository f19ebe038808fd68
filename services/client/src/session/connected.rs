//! A session while it is connected: frames in, sends out, and moving when the node asks for it. On a move the new
//! connection opens first. The old one is read to its end, and then the frames of the new one follow.

use std::time::Duration;

use switchboard_protocol::{
    ClientShould, CloseCode, Event, GoawayReason, ReceiptStatus, ServerFrame, ServerMessage,
};
use tokio::time::{Instant, timeout};

use super::{
    RoomEvent, SessionEvent,
    connection::{Connection, ConnectionLoss},
    duplicate_filter::DedupVerdict,
    event_queue::FollowUp,
    reconnect::{Reconnect, ReconnectStep},
    task::{Interruption, SessionEnd, Task, sleep_until_if_set},
};
use crate::{SendReport, client::CLOSE_TIMEOUT};

/// How long the old connection is read after the new one has its `welcome`. A healthy node closes it earlier.
const OLD_CONNECTION_WITHIN: Duration = Duration::from_secs(1);

/// The longest wait before a move that a node can ask for.
const MAX_MOVE_DELAY: Duration = Duration::from_secs(60);

/// What [`Task::next_activity`] saw.
enum Activity {
    /// Something that needs no more work.
    Handled,
    Frame(Result<ServerFrame, ConnectionLoss>),
    Reconnect(ReconnectStep),
    /// The deadline has passed.
    Deadline,
}

impl Task {
    /// Uses `connection`, and those that follow by a move, until one is lost.
    pub(super) async fn run_connected(
        &mut self,
        mut connection: Connection,
    ) -> Result<Interruption, SessionEnd> {
        let mut reconnect = Reconnect::Idle;
        let mut attempted = false;
        loop {
            if self.closing {
                self.close(connection).await;
                return Err(SessionEnd::closed());
            }
            let reading = self.event_queue.is_empty();
            let deadline = connection.next_deadline(reading);
            let activity = self
                .next_activity(&mut connection, Some(&mut reconnect), deadline)
                .await?;
            let loss = match activity {
                Activity::Handled => None,
                Activity::Frame(Ok(frame)) => {
                    self.on_frame(frame, &connection, Some(&mut reconnect));
                    None
                }
                Activity::Frame(Err(loss)) => Some(loss),
                Activity::Reconnect(ReconnectStep::AttemptDue) => {
                    reconnect = self.start_attempt();
                    attempted = true;
                    None
                }
                Activity::Reconnect(ReconnectStep::AttemptEnded(Ok(established))) => {
                    reconnect = Reconnect::Idle;
                    self.read_to_end(&mut connection).await?;
                    self.reset_backoff_after(&connection);
                    connection = self.use_connection(*established);
                    attempted = false;
                    None
                }
                Activity::Reconnect(ReconnectStep::AttemptEnded(Err(error))) => {
                    self.note_failed_attempt(&error);
                    reconnect = match self.move_is_optional {
                        true => Reconnect::Idle,
                        false => Reconnect::after(self.backoff.next_wait()),
                    };
                    None
                }
                Activity::Deadline => connection.check_deadlines(reading),
            };
            if let Some(loss) = loss {
                self.reset_backoff_after(&connection);
                return self.on_connection_lost(loss, reconnect, attempted);
            }
        }
    }

    /// Waits for one activity. Sends are written only with a `reconnect`: an old connection that is read to its end
    /// gets no more sends. The order of the branches starves none, because each is bounded: by the accepted sends or
    /// by the application's reading.
    async fn next_activity(
        &mut self,
        connection: &mut Connection,
        reconnect: Option<&mut Reconnect>,
        deadline: Option<Instant>,
    ) -> Result<Activity, SessionEnd> {
        let reading = self.event_queue.is_empty();
        let outbox = reconnect.is_some().then_some(&mut self.outbox);
        let step = async {
            match reconnect {
                Some(reconnect) => reconnect.next_step().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.events.closed() => self.closing = true,
            command = self.commands.recv(), if !self.closing => self.on_command(command),
            step = step => return Ok(Activity::Reconnect(step)),
            delivered = self.event_queue.deliver_next(&self.events), if !reading => {
                self.on_event_delivered(delivered, Some(connection))?;
            }
            frame = connection.drive(outbox, reading) => return Ok(Activity::Frame(frame)),
            () = sleep_until_if_set(deadline) => return Ok(Activity::Deadline),
        }
        Ok(Activity::Handled)
    }

    /// Handles a frame of `connection`. An old connection that is read to its end has no `reconnect`.
    fn on_frame(&mut self, frame: ServerFrame, connection: &Connection, reconnect: Option<&mut Reconnect>) {
        match frame {
            ServerFrame::Message(message) => self.on_message(message, connection.number),
            ServerFrame::Event(Event::Receipt {
                id,
                status: ReceiptStatus::Delivered,
            }) => self.finish_send(id, SendReport::delivered()),
            ServerFrame::Event(Event::Receipt {
                id,
                status: ReceiptStatus::Published,
            }) => self.finish_send(id, SendReport::published()),
            ServerFrame::Event(Event::Receipt {
                id,
                status: ReceiptStatus::Queued,
            }) => {
                if self.outbox.mark_queued(id) {
                    self.event_queue
                        .push(SessionEvent::Queued { id }, FollowUp::Nothing);
                }
            }
            ServerFrame::Event(Event::Error {
                id: Some(id),
                code,
                message,
                ..
            }) => self.on_failed(id, code, message.into_owned()),
            ServerFrame::Event(Event::Joined(joined)) => self.on_room_event(RoomEvent::Joined(joined)),
            ServerFrame::Event(Event::Left { id, room, reason }) => {
                self.on_room_event(RoomEvent::Left { id, room, reason });
            }
            ServerFrame::Event(Event::PeerJoined(joined)) => {
                self.on_room_event(RoomEvent::PeerJoined(joined));
            }
            ServerFrame::Event(Event::PeerLeft {
                room,
                version,
                peer,
                reason,
            }) => self.on_room_event(RoomEvent::PeerLeft {
                room,
                version,
                peer,
                reason,
            }),
            ServerFrame::Event(Event::RoomCount { room, count }) => {
                self.on_room_event(RoomEvent::Count { room, count });
            }
            ServerFrame::Event(Event::Presence { id, peers }) => self.on_presence(id, peers),
            ServerFrame::Event(Event::Goaway {
                reason,
                reconnect_after_ms,
            }) => {
                // A client that is asked to rebalance tries once: its session here is better than a new one on another
                // node, and the node asks again.
                self.move_is_optional = match reason {
                    GoawayReason::Rebalancing => true,
                    GoawayReason::Draining => false,
                };
                if let Some(reconnect) = reconnect.filter(|reconnect| reconnect.is_idle()) {
                    let asked = Duration::from_millis(reconnect_after_ms).min(MAX_MOVE_DELAY);
                    // Nodes that send their clients to each other must not cause a loop of connects.
                    let spaced = match connection.is_stable() {
                        true => Duration::ZERO,
                        false => self.backoff.next_wait(),
                    };
                    *reconnect = Reconnect::after(asked.max(spaced));
                }
            }
            // No event of a session. An expiring token is replaced when the node closes with 4401.
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

    fn on_message(&mut self, message: ServerMessage, connection_number: u64) {
        let seq = message.seq;
        let acknowledge = FollowUp::Acknowledge {
            connection_number,
            seq,
        };
        match self
            .duplicate_filter
            .classify(&message.mid, message.room.is_none())
        {
            DedupVerdict::New => self.event_queue.push(SessionEvent::Message(message), acknowledge),
            // The first copy may still be in the queue. Its repetition is acknowledged after it.
            DedupVerdict::Duplicate => self.event_queue.push_follow_up(acknowledge),
            DedupVerdict::Late => self.event_queue.push_follow_up(FollowUp::Refuse {
                connection_number,
                seq,
            }),
        }
    }

    /// Reads the old connection to its end, so that its messages precede those of the new one.
    async fn read_to_end(&mut self, connection: &mut Connection) -> Result<(), SessionEnd> {
        let deadline = Instant::now() + OLD_CONNECTION_WITHIN;
        while !self.closing {
            match self.next_activity(connection, None, Some(deadline)).await? {
                Activity::Handled => {}
                Activity::Frame(Ok(frame)) => self.on_frame(frame, connection, None),
                Activity::Frame(Err(_)) | Activity::Deadline | Activity::Reconnect(_) => break,
            }
        }
        Ok(())
    }

    /// Decides how to continue. A running attempt may itself have caused the loss: its node closes the old
    /// connection. The loss is reported only if that attempt fails. A kick is final in any case.
    fn on_connection_lost(
        &mut self,
        loss: ConnectionLoss,
        reconnect: Reconnect,
        attempted: bool,
    ) -> Result<Interruption, SessionEnd> {
        let is_final = CloseCode::from_code(loss.code).is_some_and(|known| {
            known == CloseCode::Kicked || known.client_should() == ClientShould::StopAndFix
        });
        if reconnect.is_connecting() && !is_final {
            return Ok(Interruption {
                reconnect,
                unreported_loss: Some(loss),
            });
        }
        let retry = self.retry_after_loss(&loss, attempted)?;
        self.push_disconnected(&loss);
        Ok(Interruption {
            reconnect: self.reconnect(retry),
            unreported_loss: None,
        })
    }

    /// Closes with a close handshake. Outcomes that arrive during it count. Messages are not acknowledged, so their
    /// senders' nodes keep them.
    async fn close(&mut self, mut connection: Connection) {
        let handshake = async {
            if connection.send_close(&mut self.outbox).await.is_err() {
                return;
            }
            while let Ok(frame) = connection.drive(None, true).await {
                match frame {
                    ServerFrame::Message(_) => {}
                    event @ ServerFrame::Event(_) => self.on_frame(event, &connection, None),
                }
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    }
}
