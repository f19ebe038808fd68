//! The terminal while the view has it: taken, drawn on, read for keys, given back.

use std::{io, time::Duration};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
};

use super::{Progress, UserRequest, screen};

/// Events read at a time, so that a key held down cannot hold up the load.
const MAX_EVENTS: usize = 100;

/// The terminal, in raw mode and on its other screen until this is dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    terminal: DefaultTerminal,
}

impl Terminal {
    /// Takes it. From now on a panic gives it back before it is told.
    pub(super) fn start() -> io::Result<Self> {
        let terminal = ratatui::try_init().inspect_err(|_| {
            // It may have been taken by half.
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
        // A panic has given it back already; once more would put the cursor over what the panic said.
        if !std::thread::panicking() {
            ratatui::restore();
        }
    }
}

/// `q`, or Ctrl-C, which in raw mode is no signal.
pub(super) fn is_stop(event: &Event) -> bool {
    let Some(key) = event.as_key_press_event() else {
        return false;
    };
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.code == KeyCode::Char('q') || (key.code == KeyCode::Char('c') && is_control)
}
