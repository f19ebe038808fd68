//! Does one piece of work a number of times: `switchboard-counts WORK TIMES`. It measures nothing: `tests/counts.rs` runs it
//! under callgrind. It has no IO, and compiles quickly.

mod bus;
mod codec;
mod node;

use std::process::ExitCode;

/// A piece of work: its name, and what does it so many times.
type Work = (&'static str, fn(u64));

const WORK: [Work; 10] = [
    ("decode", codec::decode),
    ("encode", codec::encode),
    ("envelope", codec::envelope),
    ("client-encode", codec::client_encode),
    ("client-decode", codec::client_decode),
    ("gate", node::gate),
    ("local", node::local),
    ("full", node::full),
    ("across", node::across),
    ("attach", node::attach),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let times = arguments.next().and_then(|times| times.parse().ok());
    match (WORK.iter().find(|(known, _)| *known == name), times) {
        (Some((_, work)), Some(times)) => {
            work(times);
            ExitCode::SUCCESS
        }
        _ => {
            let known: Vec<_> = WORK.iter().map(|(name, _)| *name).collect();
            eprintln!("switchboard-counts WORK TIMES, where WORK is one of {known:?}");
            ExitCode::FAILURE
        }
    }
}
