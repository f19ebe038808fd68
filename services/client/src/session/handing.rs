//! What waits to be handed to the application, in order, and what follows once it was. Bounded by its user:
//! frames are read, and connections begun, only while nothing waits here; final words by the sends let in.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::SessionEvent;

/// What follows once an event was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// The frame is processed: its connection may acknowledge it.
    Processed {
        /// The number of the connection it came from.
        connection: u64,
        /// Its `seq` there.
        seq: u64,
    },
    /// The frame is refused as late, once all before it was handed over.
    Refused {
        /// The number of the connection it came from.
        connection: u64,
        /// Its `seq` there.
        seq: u64,
    },
    /// A send is finished: there is room for another.
    Finished,
}

/// The application does not listen any more.
#[derive(Debug)]
pub(super) struct Deserted;

/// What waits to be handed over.
#[derive(Debug, Default)]
pub(super) struct Handing {
    waiting: VecDeque<(Option<SessionEvent>, Then)>,
}

impl Handing {
    pub(super) fn push(&mut self, event: SessionEvent, then: Then) {
        self.waiting.push_back((Some(event), then));
    }

    /// Something that follows all before it without an event of its own.
    pub(super) fn push_silent(&mut self, then: Then) {
        self.waiting.push_back((None, then));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands the oldest over once the channel has room. May be cancelled: nothing is taken out before.
    pub(super) async fn hand(&mut self, events: &mpsc::Sender<SessionEvent>) -> Result<Then, Deserted> {
        let permit = match self.waiting.front() {
            Some((Some(_), _)) => Some(events.reserve().await.map_err(|_| Deserted)?),
            Some((None, _)) | None => None,
        };
        match (self.waiting.pop_front(), permit) {
            (Some((Some(event), then)), Some(permit)) => {
                permit.send(event);
                Ok(then)
            }
            (Some((_, then)), _) => Ok(then),
            (None, _) => Ok(Then::Nothing),
        }
    }
}
