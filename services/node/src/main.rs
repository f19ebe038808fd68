//! The `switchboard` binary: parses the command line and returns the exit code. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use switchboard_node::{cli::Cli, command};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    command::run(Cli::parse())
}
