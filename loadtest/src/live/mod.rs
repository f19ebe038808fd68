//! The live view of a running load: on a terminal, or as plain lines without one. It shows the [`Progress`] that it
//! gets, and can only ask for an early stop.

mod plain;
mod progress;
mod screen;
mod terminal;

use std::io::IsTerminal as _;

use plain::Plain;
pub(crate) use progress::{FaultMark, FaultState, Phase, Progress, UserRequest};
use terminal::Terminal;

/// A view of a load. Dropping it restores the terminal; so does a panic.
#[derive(Debug)]
pub(crate) enum Live {
    /// The whole terminal. Nothing else may print meanwhile.
    Terminal(Box<Terminal>),
    /// One line per second on standard error.
    Plain(Plain),
    /// Nothing.
    Silent,
}

impl Live {
    /// Starts a view for all repeats. It writes lines if `is_plain` is set or standard output is not a terminal.
    pub(crate) fn start(is_plain: bool) -> Self {
        if is_plain || !std::io::stdout().is_terminal() {
            return Self::Plain(Plain::default());
        }
        match Terminal::start() {
            Ok(terminal) => Self::Terminal(Box::new(terminal)),
            Err(error) => {
                eprintln!("no terminal view, only lines: {error}");
                Self::Plain(Plain::default())
            }
        }
    }

    /// Shows nothing, for a run in a series of runs.
    pub(crate) const fn silent() -> Self {
        Self::Silent
    }

    /// Shows the progress and returns the request of the user since the last call. To be called about four times per
    /// second, because it reads the keys.
    pub(crate) fn show(&mut self, progress: &Progress) -> UserRequest {
        match self {
            Self::Silent => UserRequest::Continue,
            Self::Plain(plain) => {
                for line in plain.lines(progress, std::time::Instant::now()) {
                    eprintln!("{line}");
                }
                UserRequest::Continue
            }
            Self::Terminal(terminal) => match terminal.show(progress) {
                Ok(request) => request,
                Err(error) => {
                    // The load continues without its terminal.
                    *self = Self::Plain(Plain::default());
                    eprintln!("the terminal view has ended: {error}");
                    UserRequest::Continue
                }
            },
        }
    }
}

#[cfg(test)]
mod tests;
