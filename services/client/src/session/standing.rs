//! The memberships and watches of a session: requests that stay in force after their answer. A node keeps them for a
//! session that it resumes. A new session asks for them again, with their ids. The node's limits of rooms and watched
//! peers bound them, because a request enters with the node's answer.

use std::collections::BTreeMap;

use super::request::Request;

/// Answered joins and watches, by the `id` of the request.
#[derive(Debug, Default)]
pub(super) struct Standing {
    requests: BTreeMap<u64, Request>,
}

impl Standing {
    /// Notes the node's answer to `request`.
    pub(super) fn on_answer(&mut self, id: u64, request: Request) {
        match request {
            Request::Join { ref room, .. } => {
                self.remove_room(room);
                self.requests.insert(id, request);
            }
            Request::Watch { .. } => {
                self.requests.insert(id, request);
            }
            Request::Unwatch { peers } => self.remove_watched(&peers),
            Request::Leave { .. } | Request::Lookup { .. } | Request::Send { .. } => {}
        }
    }

    /// The session is no member of `room` any more.
    pub(super) fn remove_room(&mut self, name: &str) {
        self.requests
            .retain(|_, request| !matches!(request, Request::Join { room, .. } if room == name));
    }

    fn remove_watched(&mut self, names: &[String]) {
        self.requests.retain(|_, request| match request {
            Request::Watch { peers } => {
                peers.retain(|peer| !names.contains(peer));
                !peers.is_empty()
            }
            Request::Join { .. }
            | Request::Leave { .. }
            | Request::Lookup { .. }
            | Request::Unwatch { .. }
            | Request::Send { .. } => true,
        });
    }

    /// Takes all requests out, for a new session.
    pub(super) fn take(&mut self) -> BTreeMap<u64, Request> {
        std::mem::take(&mut self.requests)
    }
}
