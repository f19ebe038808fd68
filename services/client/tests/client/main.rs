//! The client against a real WebSocket server, in one binary so that the server's side is built once.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests may panic like tests"
)]

mod conversation;
mod handshake;
mod moves;
mod rooms;
mod server;
mod session;
mod stage;
