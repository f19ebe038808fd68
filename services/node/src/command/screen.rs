//! The terminal of `switchboard top`: its size, its keys, and what undoes the changes to it. Plain ANSI sequences, because the
//! image needs no library for so few of them. Not the picture's content (`crate::status`).

use std::{
    io::{IsTerminal as _, Read as _, Write as _, stdin, stdout},
    os::fd::AsFd as _,
};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// The size of a terminal that does not say it.
const DEFAULT_SIZE: (usize, usize) = (80, 24);

/// Keys that wait to be read; more are dropped.
const MAX_KEYS: usize = 16;

/// A terminal that shows pictures. Dropped, it is as it was before.
pub(super) struct Screen {
    /// The settings of before, if keys are read.
    before: Option<Termios>,
}

impl Screen {
    /// `None` where standard output is no terminal.
    pub(super) fn open() -> Option<Self> {
        if !stdout().is_terminal() {
            return None;
        }
        // The other picture of the terminal, without a cursor.
        print!("\x1b[?1049h\x1b[?25l");
        Some(Self { before: take_keys() })
    }

    /// Draws lines, as many and as much of each as there is room for, and `last` below them.
    pub(super) fn draw(&self, lines: &[String], last: &str) -> std::io::Result<()> {
        let size = terminal_size::terminal_size();
        let (width, height) = size.map_or(DEFAULT_SIZE, |(width, height)| {
            (usize::from(width.0), usize::from(height.0))
        });
        let mut out = stdout().lock();
        out.write_all(picture(lines, last, width, height).as_bytes())?;
        out.flush()
    }

    /// The keys that are pressed.
    pub(super) fn keys(&self) -> mpsc::Receiver<u8> {
        let (sender, receiver) = mpsc::channel(MAX_KEYS);
        if self.before.is_some() {
            // Owner: nobody. A blocking read of the terminal ends with the process.
            std::thread::spawn(move || {
                for key in stdin().lock().bytes().map_while(Result::ok) {
                    let _ = sender.try_send(key);
                }
            });
        }
        receiver
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin().as_fd(), SetArg::TCSANOW, before);
        }
        print!("\x1b[?25h\x1b[?1049l");
        let _ = stdout().flush();
    }
}

/// Keys come one by one, unseen, and Ctrl-C is one of them. Returns the settings of before; `None` if there is no keyboard.
fn take_keys() -> Option<Termios> {
    let before = tcgetattr(stdin().as_fd()).ok()?;
    let mut settings = before.clone();
    settings
        .local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
    tcsetattr(stdin().as_fd(), SetArg::TCSANOW, &settings).ok()?;
    Some(before)
}

/// The bytes that draw `lines` over what was drawn before.
fn picture(lines: &[String], last: &str, width: usize, height: usize) -> String {
    let room = height.saturating_sub(1);
    let mut shown: Vec<String> = lines.iter().take(room).cloned().collect();
    if let Some(hidden) = lines.len().checked_sub(room).filter(|hidden| *hidden > 0) {
        // The last line gives its place to the number.
        shown.pop();
        shown.push(format!(
            "… {} more lines: `switchboard status` prints all",
            hidden + 1
        ));
    }
    let mut text = String::from("\x1b[H");
    for line in &shown {
        text.extend(line.chars().take(width));
        // The rest of the line of before goes.
        text += "\x1b[K\r\n";
    }
    text += "\x1b[7m";
    text.extend(last.chars().take(width));
    text += "\x1b[0m\x1b[K\x1b[J";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fits_into_its_terminal_and_says_what_it_leaves_out() {
        let lines: Vec<_> = (0..9).map(|number| format!("line {number}")).collect();
        let all = picture(&lines, "q quits", 80, 24);
        assert!(all.contains("line 8") && !all.contains("more lines"), "{all:?}");
        let small = picture(&lines, "q quits", 40, 5);
        assert!(small.contains("line 2") && !small.contains("line 3"), "{small:?}");
        assert!(small.contains("… 6 more lines"), "{small:?}");
        assert_eq!(small.matches("\r\n").count(), 4);
        let narrow = picture(&lines, "q quits", 4, 24);
        assert!(
            narrow.contains("line\x1b[K") && !narrow.contains("line 1"),
            "{narrow:?}"
        );
        assert!(picture(&lines, "q", 0, 0).ends_with("\x1b[J"));
    }
}
