//! Events that wait for the application, in order, and what follows when the application has one. The users of
//! this queue bound it: frames are read and attempts started only while it is empty, and permits bound the sends.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::SessionEvent;

/// What follows once the application has an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FollowUp {
    /// Nothing.
    Nothing,
    /// The frame was processed: acknowledge it on its connection.
    Acknowledge {
        /// The connection on which the frame came.
        connection_number: u64,
        /// The frame's `seq` on that connection.
        seq: u64,
    },
    /// The frame came too late: refuse it on its connection, after the frames before it.
    Refuse {
        /// The connection on which the frame came.
        connection_number: u64,
        /// The frame's `seq` on that connection.
        seq: u64,
    },
    /// A send has its outcome: allow another one.
    ReleasePermit,
}

/// The application dropped its receiver.
#[derive(Debug)]
pub(super) struct ReceiverDropped;

/// Events and follow-ups, oldest first.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    waiting: VecDeque<(Option<SessionEvent>, FollowUp)>,
}

impl EventQueue {
    pub(super) fn push(&mut self, event: SessionEvent, follow_up: FollowUp) {
        self.waiting.push_back((Some(event), follow_up));
    }

    /// A follow-up without an event. It comes after everything pushed before it.
    pub(super) fn push_follow_up(&mut self, follow_up: FollowUp) {
        self.waiting.push_back((None, follow_up));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Delivers the oldest event once the channel has room. Cancel-safe: the entry stays until then.
    pub(super) async fn deliver_next(
        &mut self,
        events: &mpsc::Sender<SessionEvent>,
    ) -> Result<FollowUp, ReceiverDropped> {
        let permit = match self.waiting.front() {
            Some((Some(_), _)) => Some(events.reserve().await.map_err(|_| ReceiverDropped)?),
            Some((None, _)) | None => None,
        };
        match (self.waiting.pop_front(), permit) {
            (Some((Some(event), follow_up)), Some(permit)) => {
                permit.send(event);
                Ok(follow_up)
            }
            (Some((_, follow_up)), _) => Ok(follow_up),
            (None, _) => Ok(FollowUp::Nothing),
        }
    }
}
