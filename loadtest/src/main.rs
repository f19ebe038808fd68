//! The load generator of Switchboard.
fn main() {}
