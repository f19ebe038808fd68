//! `switchboard-loadtest`: the program around the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    switchboard_loadtest::cli::main()
}
