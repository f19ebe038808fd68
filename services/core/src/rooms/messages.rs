//! Messages to a room, for its members here: each sender's in order, at most once.

use bytes::Bytes;
use switchboard_protocol::MessageId;
use switchboard_telemetry::RoomDrop;

use super::side::RoomSide;
use crate::receive::{delivery::Delivery, envelope::Checked};

impl RoomSide {
    /// An envelope arrived on the channel of `key` (`tenant/room`). Its sender does not get it back.
    pub(crate) fn on_message(&self, key: &str, bytes: &Bytes) {
        self.in_known_room(key, |room, state| {
            let cx = &*self.cx;
            let Some(checked) = Checked::read(bytes, room.key.tenant(), &cx.telemetry) else {
                return;
            };
            let mid = checked.envelope.mid;
            let sender = state.roster.get_mut(checked.from.peer());
            if let MessageId::Client(id) = mid.id
                && let Some(sender) = sender.filter(|sender| sender.session == mid.session)
            {
                // Its client repeats it after a resume.
                if id <= sender.last_id {
                    cx.telemetry.duplicate_dropped();
                    return;
                }
                sender.last_id = id;
            }
            state.messages += 1;
            let (payload, second) = (checked.payload(), cx.second(cx.now()));
            let mut delivered = 0;
            for (id, local) in &mut state.local {
                if *id == mid.session {
                    continue;
                }
                let delivery = Delivery::to_room(
                    &room.id,
                    &checked.from,
                    mid,
                    checked.envelope.kind,
                    payload.clone(),
                );
                if local.session.offer_of_room(delivery, &cx.limits) {
                    local.session.mark_active(second);
                    delivered += 1;
                } else {
                    cx.telemetry.room_drops(RoomDrop::Message, 1);
                    local.has_missed = true;
                    state.has_behind = true;
                }
            }
            cx.telemetry.room_messages(delivered);
            if state.has_behind {
                self.mark_due(room, state);
            }
        });
    }
}
