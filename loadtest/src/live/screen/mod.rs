//! The layout of the terminal view: title and gauge, charts and tables, requirements and errors. A very small terminal
//! shows lines of text only.

mod charts;
mod lists;
mod section;
mod tables;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize as _},
    text::{Line, Span},
    widgets::{LineGauge, Paragraph, Wrap},
};

use super::{plain, progress::Progress};

/// Minimum size of the whole view, in columns and rows.
const MIN_SIZE: (u16, u16) = (60, 16);

/// Rows of the lists at the bottom, on a small and on a large terminal.
const LIST_ROWS: (u16, u16) = (7, 10);

/// Minimum rows of a large terminal.
const LARGE: u16 = 32;

/// Draws the view.
pub(super) fn draw(frame: &mut Frame<'_>, progress: &Progress) {
    let area = frame.area();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        small(frame, area, progress);
        return;
    }
    let list_rows = if area.height < LARGE {
        LIST_ROWS.0
    } else {
        LIST_ROWS.1
    };
    let [head, body, bottom] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(6),
        Constraint::Length(list_rows),
    ])
    .areas(area);
    self::head(frame, head, progress);
    let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)])
        .spacing(1)
        .areas(body);
    charts::draw(frame, left, progress);
    tables::draw(frame, right, progress);
    let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)])
        .spacing(1)
        .areas(bottom);
    lists::requirements(frame, left, progress);
    lists::errors(frame, right, progress);
}

fn head(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let [title, gauge] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(18)]).areas(title);
    let line = Line::from(vec![
        Span::from(plain::title(progress)).bold(),
        Span::from(format!("  {}", progress.about)).dark_gray(),
    ]);
    frame.render_widget(line, left);
    frame.render_widget(
        Line::from("q: stop and report").dark_gray().right_aligned(),
        right,
    );
    let widget = LineGauge::default()
        .ratio(progress.share_done())
        .label(progress.phase_text())
        .filled_style(Style::new().fg(Color::Cyan))
        .unfilled_style(Style::new().fg(Color::DarkGray));
    frame.render_widget(widget, gauge);
}

/// The most important lines first, because there may be no room for others.
fn small(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let mut lines = Vec::new();
    let violations: Vec<_> = progress
        .violations()
        .map(|(counter, count)| format!("{} {count}", counter.name()))
        .collect();
    if !violations.is_empty() {
        lines.push(Line::from(violations.join(" ")).red().bold());
    }
    lines.push(Line::from(plain::line(progress)));
    lines.push(Line::from(plain::title(progress)).dark_gray());
    lines.push(Line::from("q: stop and report").dark_gray());
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}
