//! The `switchboard` binary. Parses, wires, maps the outcome to an exit code; everything else is the
//! library.

use std::process::ExitCode;

use clap::Parser as _;
use switchboard_node::{cli::Cli, command};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    command::run(Cli::parse())
}
