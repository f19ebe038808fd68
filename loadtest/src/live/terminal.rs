//! Ownership of the terminal: take it, draw on it, read its keys, restore it.

use std::{io, time::Duration};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
};

use super::{
    progress::{Progress, UserRequest},
    screen,
};

/// Events per call, at most, so that a held key cannot block the load.
const MAX_EVENTS: usize = 100;

/// The terminal, in raw mode and on its alternate screen until this is dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    terminal: DefaultTerminal,
}

impl Terminal {
    /// Takes the terminal. From now on a panic restores it before its message.
    pub(super) fn start() -> io::Result<Self> {
        let terminal = ratatui::try_init().inspect_err(|_| {
            // It may be initialised in part.
            let _ = ratatui::try_restore();
        })?;
        Ok(Self { terminal })
    }

    pub(super) fn show(&mut self, progress: &Progress) -> io::Result<UserRequest> {
        self.terminal.draw(|frame| screen::draw(frame, progress))?;
        let mut request = UserRequest::Continue;
        for _ in 0..MAX_EVENTS {
            if !event::poll(Duration::ZERO)? {
                break;
            }
            if is_stop(&event::read()?) {
                request = UserRequest::Stop;
            }
        }
        Ok(request)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A panic has already restored it; a second time would put the cursor over the panic message.
        if !std::thread::panicking() {
            ratatui::restore();
        }
    }
}

/// `q`, or Ctrl-C, which is not a signal in raw mode.
pub(super) fn is_stop(event: &Event) -> bool {
    let Some(key) = event.as_key_press_event() else {
        return false;
    };
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.code == KeyCode::Char('q') || (key.code == KeyCode::Char('c') && is_control)
}
