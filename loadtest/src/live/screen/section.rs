//! A section of the screen.

use ratatui::{
    style::{Color, Style, Stylize as _},
    text::Line,
    widgets::{Block, Borders},
};

/// A rule with its title.
pub(super) fn section<'a>(title: impl Into<Line<'a>>) -> Block<'a> {
    Block::new()
        .borders(Borders::TOP)
        .border_style(Style::new().fg(Color::DarkGray))
        .title(title.into().bold())
}
