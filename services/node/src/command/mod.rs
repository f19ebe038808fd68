//! What each command does, and the exit codes: 0 done, 1 failed, 64 configuration (sysexits' EX_USAGE).

mod config;
mod dev;
mod healthcheck;
mod listen;
mod operator;
mod ops_port;
mod peer;
mod runtime;
mod screen;
mod selftest;
mod send;
mod serve;
mod status;
mod token;
mod top;
mod webhooks;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Command},
    config::ConfigError,
};

/// Exit code for configuration that cannot be used.
const EXIT_CONFIG: u8 = 64;

/// Runs one command to its end.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Dev(dev) => dev::run(dev),
        Command::Serve(serve) => serve::run(&serve),
        Command::Healthcheck(check) => healthcheck::run(&check),
        Command::Config(config) => config::run(config),
        Command::Token(token) => token::run(token),
        Command::Listen(listen) => listen::run(listen),
        Command::Send(send) => send::run(send),
        Command::Webhooks(webhooks) => webhooks::run(&webhooks),
        Command::Status(status) => status::run(&status),
        Command::Top(top) => top::run(top),
        Command::Selftest(selftest) => selftest::run(&selftest),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchboard: {error:#}");
            let is_config = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if is_config { EXIT_CONFIG } else { 1 })
        }
    }
}
