//! The attacks, one a file, in the order in which they run.

mod bus_messages;
mod connects;
mod control_frames;
mod dead_node;
mod foreign_pages;
mod gaps;
mod handshakes;
mod large_messages;
mod older_token;
mod one_queue;
mod operations_port;
mod padding;
mod queues;
mod receivers;
mod reflection;
mod sequence;
mod sessions;
mod silent_readers;
mod tls_handshakes;

use crate::attack::Attack;

/// All attacks.
pub(crate) const ALL: [Attack; 19] = [
    queues::ATTACK,
    reflection::ATTACK,
    padding::ATTACK,
    handshakes::ATTACK,
    connects::ATTACK,
    sessions::ATTACK,
    one_queue::ATTACK,
    operations_port::ATTACK,
    large_messages::ATTACK,
    dead_node::ATTACK,
    gaps::ATTACK,
    control_frames::ATTACK,
    receivers::ATTACK,
    silent_readers::ATTACK,
    foreign_pages::ATTACK,
    older_token::ATTACK,
    bus_messages::ATTACK,
    sequence::ATTACK,
    tls_handshakes::ATTACK,
];
