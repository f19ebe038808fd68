//! The bytes of state that a peer costs which only stays connected. A feature that it does not use must not add to them: rare state
//! is boxed, or is not there.

use crate::{
    limits::PeerAccount, receive::delivery::Outgoing, records::record::Record, session::handle::Session,
};

#[test]
fn the_state_of_an_idle_peer_stays_small() {
    let states = [
        ("Session", size_of::<Session>(), 288),
        ("PeerAccount", size_of::<PeerAccount>(), 88),
        ("Record, on a bus in memory", size_of::<Record>(), 136),
        ("Outgoing, eight per send queue", size_of::<Outgoing>(), 16),
    ];
    for (state, bytes, _) in states {
        println!("{bytes:4} {state}");
    }
    for (state, bytes, bound) in states {
        assert!(bytes <= bound, "{state}: {bytes} bytes");
    }
}
