//! A load while it runs: a terminal view, or plain lines where there is no terminal. It shows what it is given
//! and asks for nothing but an early stop.

mod plain;
mod progress;
mod screen;
mod terminal;

use std::io::IsTerminal as _;

use plain::Plain;
pub(crate) use progress::{FaultMark, FaultState, Phase, Progress};
use terminal::Terminal;

/// A view of a load. Dropping it gives the terminal back; so does a panic.
#[derive(Debug)]
pub(crate) enum Live {
    /// All of the terminal. Meanwhile nothing else may be printed.
    Terminal(Box<Terminal>),
    /// A line a second on standard error.
    Plain(Plain),
    /// Nothing.
    Silent,
}

/// What the user wants meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserRequest {
    /// Nothing.
    Continue,
    /// An end before the end.
    Stop,
}

impl Live {
    /// Begins: with lines if `is_plain` or if standard output is no terminal. One serves all repeats.
    pub(crate) fn start(is_plain: bool) -> Self {
        if is_plain || !std::io::stdout().is_terminal() {
            return Self::Plain(Plain::default());
        }
        match Terminal::start() {
            Ok(terminal) => Self::Terminal(Box::new(terminal)),
            Err(error) => {
                eprintln!("there is no terminal view, only lines: {error}");
                Self::Plain(Plain::default())
            }
        }
    }

    /// Shows nothing: for one run among many.
    pub(crate) const fn silent() -> Self {
        Self::Silent
    }

    /// Shows how it stands, and says what the user pressed since the last time. To be called about four times a
    /// second: keys are only read here.
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
                    // A terminal that went away must not end the load.
                    *self = Self::Plain(Plain::default());
                    eprintln!("the terminal view is gone: {error}");
                    UserRequest::Continue
                }
            },
        }
    }

    /// Ends, and gives the terminal back.
    pub(crate) fn end(self) {
        drop(self);
    }
}

#[cfg(test)]
mod tests;
