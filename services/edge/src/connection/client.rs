//! One attached client between codec and core: a text frame becomes a command and its effect, an outgoing item
//! becomes a frame. Not when to read, write or give up: that is the loop's.

use std::{
    ops::Range,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use switchboard_auth::Region;
use switchboard_core::{
    Attachment, CommandEffect, CommandGate, Limits, Outgoing, RoomSend, Router, SendRequest, Session,
};
use switchboard_protocol::{CloseCode, Event, Grant, MessageHead, RevocationStatus, RoomId, codec::Codec};
use switchboard_telemetry::Queue;

use super::{end::ConnectionEnd, renewal::Renewal, transport::Transport};
use crate::{
    admission::{network::AddressGroup, region},
    clock::unix_now,
    ice,
    state::Edge,
};

/// An attached client.
pub(crate) struct Client<C> {
    edge: Arc<Edge>,
    attachment: Attachment,
    gate: CommandGate,
    codec: C,
    /// Whether the client acknowledges; otherwise a message is done when the kernel has taken it.
    acks: bool,
    /// The number of the newest message that was written.
    written_seq: u64,
    renewal: Renewal,
    /// When the client gets new ICE credentials, in seconds since the Unix epoch; `u32::MAX` (in 2106): never. Half as wide as
    /// other times, because each idle connection has it.
    ice_refresh_at_s: u32,
    /// Where its TURN servers are.
    region: Region,
}

impl<C: Codec> Client<C> {
    pub(crate) fn new(
        edge: Arc<Edge>,
        attachment: Attachment,
        grant: Grant,
        codec: C,
        acks: bool,
        address: AddressGroup,
    ) -> Self {
        let gate = CommandGate::new(grant, Arc::clone(attachment.session().account()))
            .with_address(edge.router.address(address.into()));
        Self {
            edge,
            attachment,
            gate,
            codec,
            acks,
            written_seq: 0,
            renewal: Renewal::default(),
            ice_refresh_at_s: u32::MAX,
            region: Region::default(),
        }
    }

    /// The same with ICE servers of `region`, and when it gets the next ones, in seconds since the Unix epoch.
    pub(crate) fn with_ice(mut self, region: Region, refresh_at_s: u64) -> Self {
        self.region = region;
        self.ice_refresh_at_s = u32::try_from(refresh_at_s).unwrap_or(u32::MAX);
        self
    }

    pub(crate) fn session(&self) -> &Session {
        self.attachment.session()
    }

    pub(super) fn limits(&self) -> &Limits {
        self.router().limits()
    }

    fn router(&self) -> &Router {
        self.attachment.router()
    }

    /// The client has answered a question for a sign of life.
    pub(super) fn touch(&self) {
        self.attachment.touch();
    }

    /// The connection has ended; the attachment is given up when this client is dropped.
    pub(super) fn ended(&mut self, end: ConnectionEnd) {
        self.attachment
            .on_disconnect(end.on_disconnect(), end.leave_reason());
        self.edge.telemetry.connection_closed(end.code());
    }

    /// Writes one item of the send queue; the error is the code to close with.
    pub(super) fn write(
        &mut self,
        outgoing: Outgoing,
        transport: &mut impl Transport,
    ) -> Result<(), CloseCode> {
        let codec = &mut self.codec;
        let bytes = match outgoing {
            Outgoing::Delivery(delivery) => {
                let head = MessageHead {
                    kind: delivery.kind,
                    from: delivery.from.peer(),
                    room: delivery.room.as_ref().map(RoomId::as_str),
                    mid: delivery.mid,
                    seq: delivery.seq,
                };
                self.written_seq = delivery.seq;
                transport.write_text(Some(head.seq), |out| {
                    codec.write_message(out, &head, &delivery.payload)
                })
            }
            Outgoing::Delivered(id) => transport.write_text(None, |out| codec.write_delivered(out, id)),
            Outgoing::Event(event) => transport.write_text(None, |out| codec.write_event(out, &event)),
            Outgoing::News(event) => transport.write_text(None, |out| event.write(codec, out)),
            Outgoing::Close(code) => return Err(code),
        };
        self.edge.telemetry.message_out(bytes);
        Ok(())
    }

    /// The kernel has taken everything that was written. Without `acks=client` that is the delivery.
    pub(super) fn flushed(&self) {
        if !self.acks {
            self.router().done(self.attachment.session(), self.written_seq);
        }
    }

    /// Reading stops: the client's own sends or answers pile up.
    pub(super) fn paused(&self) {
        if !self.session().has_room_for_answers(self.limits()) {
            self.edge.telemetry.queue_overflow(Queue::Answers);
        }
    }

    /// Decides on one text frame and carries the decision out; returns the code to close with, if any.
    pub(super) fn on_text(&mut self, text: String) -> Option<CloseCode> {
        let now_ms = u64::try_from(unix_now().as_millis()).unwrap_or(u64::MAX);
        let router = self.attachment.router();
        let decoded = self.codec.decode(&text);
        let effect = self
            .gate
            .on_command(decoded, self.written_seq, now_ms, router.limits());
        let session = self.attachment.session();
        match effect {
            CommandEffect::Send {
                to,
                kind,
                payload,
                id,
                hold,
            } => {
                self.edge.telemetry.message_in(kind, text.len());
                let place = place_of(payload, &text);
                let payload = payload_at(place, text);
                let send = SendRequest {
                    to,
                    kind,
                    payload,
                    id,
                    hold,
                };
                router.send(session, send);
                None
            }
            CommandEffect::SendToRoom {
                room,
                kind,
                payload,
                id,
            } => {
                self.edge.telemetry.message_in(kind, text.len());
                let place = place_of(payload, &text);
                let payload = payload_at(place, text);
                let send = RoomSend {
                    room,
                    kind,
                    payload,
                    id,
                };
                router.send_to_room(session, send);
                None
            }
            effect @ (CommandEffect::Nothing
            | CommandEffect::Join { .. }
            | CommandEffect::Leave { .. }
            | CommandEffect::Presence { .. }
            | CommandEffect::Reply(_)
            | CommandEffect::Renew { .. }
            | CommandEffect::Ack { .. }
            | CommandEffect::Ice { .. }
            | CommandEffect::Close(_)) => self.carry_out(effect),
        }
    }

    /// Answers a text frame over the limit, of which only the beginning was kept; returns the code to close with, if any.
    pub(super) fn on_oversized(&mut self, beginning: &[u8]) -> Option<CloseCode> {
        let refused = Err(self.codec.too_large(beginning));
        let effect = self
            .gate
            .on_command(refused, self.written_seq, 0, self.attachment.router().limits());
        self.carry_out(effect)
    }

    /// Decides what the time alone brings; returns the code to close with, if any.
    pub(super) fn on_time(&mut self) -> Option<CloseCode> {
        let now_s = unix_now().as_secs();
        if u64::from(self.ice_refresh_at_s) <= now_s {
            self.push_ice(None);
        }
        let effect = self.gate.on_time(now_s);
        self.carry_out(effect)
    }

    /// Decides on one control frame of the transport; returns the code to close with, if any.
    pub(super) fn on_control_frame(&mut self) -> Option<CloseCode> {
        let effect = self.gate.on_control_frame(self.attachment.router().limits());
        self.carry_out(effect)
    }

    /// When [`Client::on_time`] next has something to do, in seconds since the Unix epoch.
    pub(super) fn next_time_s(&self) -> u64 {
        self.gate.next_time_s().min(self.ice_refresh_at_s.into())
    }

    fn carry_out(&mut self, effect: CommandEffect<'_>) -> Option<CloseCode> {
        let session = self.attachment.session();
        match effect {
            CommandEffect::Nothing | CommandEffect::Send { .. } | CommandEffect::SendToRoom { .. } => {}
            CommandEffect::Join { room, info, id } => {
                self.attachment.router().join_room(session, &room, info, id);
            }
            CommandEffect::Leave { room, id } => self.attachment.router().leave_room(session, &room, id),
            CommandEffect::Close(code) => return Some(code),
            CommandEffect::Ack { seq, late } if self.acks => {
                let (router, seq) = (self.attachment.router(), seq.min(self.written_seq));
                if late {
                    router.refused(session, seq);
                } else {
                    router.done(session, seq);
                }
            }
            // Without `acks=client` the node has counted the message as done already.
            CommandEffect::Ack { .. } => {}
            CommandEffect::Reply(event) => {
                if let Event::Error { code, .. } = &event {
                    self.edge.telemetry.command_error(*code);
                }
                session.push_event(event);
            }
            CommandEffect::Ice { id } => self.push_ice(id),
            CommandEffect::Presence { command, peers, id } => {
                self.router().on_presence_command(session, command, peers, id);
            }
            CommandEffect::Renew { token, id } => {
                let verifier = self.edge.verifier.clone();
                if let Err(refused) = self.renewal.start(verifier, token, id) {
                    session.push_event(refused);
                }
            }
        }
        None
    }

    /// Sends ICE servers with new credentials, asked for or not.
    fn push_ice(&mut self, id: Option<u64>) {
        let session = self.attachment.session();
        let answer = ice::servers(&self.edge, self.region, session.key());
        self.ice_refresh_at_s = u32::try_from(answer.refresh_at_s).unwrap_or(u32::MAX);
        session.push_event(Event::Ice {
            id,
            ice_servers: answer.ice_servers,
            expires_at: answer.expires_at,
        });
    }

    /// Whether a renewal is under way.
    pub(super) fn is_renewing(&self) -> bool {
        self.renewal.is_running()
    }

    /// Notes the token in force; the code to close with if it was revoked since it was verified.
    pub(crate) fn note_token(&self) -> Option<CloseCode> {
        let (session, now_s) = (self.attachment.session(), unix_now().as_secs());
        match self.router().note_token(session, self.gate.grant(), now_s) {
            RevocationStatus::Valid => None,
            RevocationStatus::Revoked | RevocationStatus::Unknown => Some(CloseCode::TokenEnded),
        }
    }

    /// Applies a renewal that has ended; ready when there was one, because the token's end may have moved.
    pub(super) fn poll_renewal(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (id, outcome) = ready!(self.renewal.poll(cx));
        let answer = match outcome {
            Ok(grant) => {
                let answer = self.gate.renewed(grant, id);
                // Of the token in force: the newer one may have been refused.
                let grant = self.gate.grant();
                self.attachment.session().account().apply(grant.limits.as_deref());
                self.region = region::claimed(&self.edge, grant).unwrap_or(self.region);
                answer
            }
            Err(reason) => CommandGate::not_renewed(id, reason),
        };
        let session = self.attachment.session();
        session.push_event(answer);
        if let Some(code) = self.note_token() {
            session.close(code);
        }
        Poll::Ready(())
    }
}

/// Bytes of a frame without its payload, above which the payload is copied. A slice holds the whole frame, and the
/// sender is charged for the payload alone.
const MAX_HELD_SLACK_BYTES: usize = 512;

/// Where `payload`, which is a slice of `text`, stands in it.
fn place_of(payload: &str, text: &str) -> Range<usize> {
    let start = payload.as_ptr() as usize - text.as_ptr() as usize;
    start..start + payload.len()
}

/// The payload at `place` of the frame `text`: mostly a slice of it.
fn payload_at(place: Range<usize>, text: String) -> Bytes {
    let frame = Bytes::from(text);
    let is_slack_large = frame.len() - place.len() > MAX_HELD_SLACK_BYTES;
    let payload = frame.slice(place);
    if is_slack_large {
        return Bytes::copy_from_slice(&payload);
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_payload_in_a_large_frame_does_not_hold_the_frame() {
        for (slack, is_copied) in [(60_000, true), (5, false)] {
            let text = format!("{}payload", " ".repeat(slack));
            let frame = text.as_bytes().as_ptr_range();
            let place = place_of(&text[slack..], &text);
            let payload = payload_at(place, text);
            assert_eq!(&payload[..], b"payload");
            assert_eq!(!frame.contains(&payload.as_ptr()), is_copied);
        }
    }
}
