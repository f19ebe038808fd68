//! What goes to one client: messages of other peers, receipts, events, the close. Plain data.

use std::sync::Arc;

use bytes::Bytes;
use switchboard_protocol::{CloseCode, Event, MessageKind, Mid, NodeId, PeerKey, RoomId, TraceContext};
use switchboard_telemetry::{MessageSpan, Telemetry};

use super::shared_event::SharedEvent;

/// A message for one receiver.
#[derive(Debug)]
pub struct Delivery {
    /// Its kind.
    pub kind: MessageKind,
    /// The sender.
    pub from: PeerKey,
    /// The room that it was sent to; `None`: to this receiver alone.
    pub room: Option<RoomId>,
    /// The sender's session and id.
    pub mid: Mid,
    /// Its number in the receiver's session; assigned when it is taken for the socket.
    pub seq: u64,
    /// The payload as the sender wrote it.
    pub payload: Bytes,
    /// Where the acknowledgement goes.
    pub ack: AckTo,
    /// Whether it came out of the offline queue.
    pub is_stored: bool,
    /// Ends when it is written.
    pub span: MessageSpan,
}

impl Delivery {
    /// A message that has just arrived.
    pub(crate) fn new(
        telemetry: &Telemetry,
        from: &PeerKey,
        mid: Mid,
        kind: MessageKind,
        payload: Bytes,
        ack: AckTo,
        trace: Option<&TraceContext>,
    ) -> Self {
        let span = trace.map_or_else(MessageSpan::default, |trace| telemetry.span_deliver(kind, trace));
        Self {
            kind,
            from: from.clone(),
            room: None,
            mid,
            seq: 0,
            payload,
            ack,
            is_stored: false,
            span,
        }
    }

    /// One member's share of a message to a room: it has no acknowledgement.
    pub(crate) fn to_room(
        room: &RoomId,
        from: &PeerKey,
        mid: Mid,
        kind: MessageKind,
        payload: Bytes,
    ) -> Self {
        Self {
            kind,
            from: from.clone(),
            room: Some(room.clone()),
            mid,
            seq: 0,
            payload,
            ack: AckTo::Nobody,
            is_stored: false,
            span: MessageSpan::default(),
        }
    }
}

/// Where the acknowledgement goes once a message is done: on the socket or, with `acks=client`, acknowledged by
/// the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckTo {
    /// To no one: fire and forget.
    Nobody,
    /// To a sender on this node.
    Local,
    /// To a sender on that node.
    Node(NodeId),
}

/// One thing to write to a client.
#[derive(Debug)]
pub enum Outgoing {
    /// Another peer's message.
    Delivery(Box<Delivery>),
    /// `receipt: delivered` for the send of that `id`.
    Delivered(u64),
    /// An event of the node itself.
    Event(Box<Event>),
    /// An event that others get too.
    News(Arc<SharedEvent>),
    /// Nothing more comes; close with this code.
    Close(CloseCode),
}

impl Outgoing {
    /// Bytes held by an answer to its receiver. Messages of others count by their payload.
    pub(crate) fn answer_bytes(&self) -> usize {
        match self {
            Self::Delivery(_) | Self::Close(_) => 0,
            Self::Delivered(_) => size_of::<Self>(),
            Self::Event(event) => size_of::<Self>() + event.held_bytes(),
            // The event itself is shared; a client that reads nothing keeps it alive.
            Self::News(_) => size_of::<Self>() + size_of::<SharedEvent>(),
        }
    }
}
