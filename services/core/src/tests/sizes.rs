//! The bytes of state that a peer costs which only stays connected, as docs/counts.md has them. A feature that it does not use must
//! not add to them: rare state is boxed, or is not there.

use std::sync::Arc;

use switchboard_harness::Committed;
use switchboard_protocol::{PeerKey, SessionId};

use crate::{
    CommandGate,
    limits::PeerAccount,
    receive::{delivery::Outgoing, duplicate_filter, in_flight::InFlight, send_queue::SendQueue},
    records::record::Record,
    send::{outbox::Outbox, pending::Pending, stream::Stream},
    session::handle::Session,
};

/// An entry of the registry by address, and one by session.
const REGISTRY: usize = size_of::<(PeerKey, Arc<Session>)>() + size_of::<(SessionId, Arc<Session>)>();

#[test]
fn the_state_of_a_peer_is_as_small_as_the_page_says() {
    let states = [
        (
            "session, with its empty send queue and outbox",
            size_of::<Session>(),
        ),
        (
            "its send queue, with an empty duplicate filter",
            size_of::<SendQueue>(),
        ),
        ("its entries in the registry", REGISTRY),
        ("account of the peer", size_of::<PeerAccount>()),
        ("command gate", size_of::<CommandGate>()),
        ("record, on a bus in memory", size_of::<Record>()),
        (
            "active: duplicate filter, for each sender",
            duplicate_filter::ENTRY_BYTES,
        ),
        (
            "active: outbox, while sends wait for their outcome",
            size_of::<Outbox>(),
        ),
        ("active: its stream to a receiver", size_of::<(PeerKey, Stream)>()),
        ("active: a send without an outcome", size_of::<Pending>()),
        (
            "active: a place in the send queue; an idle one keeps at most eight",
            size_of::<Outgoing>(),
        ),
        (
            "active: a message on its way into the socket",
            size_of::<InFlight>(),
        ),
    ];
    let states = states.map(|(state, bytes)| (state, vec![bytes as f64]));
    let command = "cargo test -p switchboard-core --lib page_says";
    let committed = Committed::read("core", command).unwrap();
    committed.compare(&["bytes"], &states, 0.0).unwrap();
}
