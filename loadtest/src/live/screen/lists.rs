//! The lists at the bottom: faults and thresholds, and errors.

use ratatui::{Frame, layout::Rect, style::Stylize as _, text::Line, widgets::Paragraph};

use super::section::section;
use crate::live::progress::{FaultState, Progress};

/// Faults by time, then thresholds: missed ones first, those without a value last.
pub(super) fn requirements(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let faults = progress.faults.iter().map(|fault| {
        let text = format!("{:>4.0}s {}", fault.at.as_secs_f64(), fault.what);
        match &fault.state {
            FaultState::Planned => Line::from(format!("· {text}")).dark_gray(),
            FaultState::Done => Line::from(format!("! {text}")).yellow(),
            FaultState::Failed(why) => Line::from(format!("✗ {text}: {why}")).red(),
        }
    });
    let mut thresholds: Vec<_> = progress.thresholds.iter().collect();
    thresholds.sort_by_key(|threshold| threshold.is_met);
    let thresholds = thresholds.into_iter().map(|threshold| {
        let text = format!("{} ({})", threshold.text, threshold.measured);
        if threshold.is_met {
            Line::from(format!("✓ {text}")).green()
        } else {
            Line::from(format!("✗ {text}")).red()
        }
    });
    let waiting = progress.waiting.iter();
    let waiting = waiting.map(|text| Line::from(format!("· {text}")).dark_gray());
    let title = if progress.faults.is_empty() {
        "thresholds "
    } else {
        "faults and thresholds "
    };
    list(
        frame,
        area,
        title,
        faults.chain(thresholds).chain(waiting).collect(),
    );
}

/// The most frequent first.
pub(super) fn errors(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let mut errors: Vec<_> = progress.errors.iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut lines: Vec<_> = errors
        .into_iter()
        .map(|(text, count)| Line::from(format!("{count:>6} {text}")).yellow())
        .collect();
    if lines.is_empty() {
        lines.push(Line::from("none").dark_gray());
    }
    list(frame, area, "errors ", lines);
}

/// The lines that fit; if some do not fit, the last line has their number.
fn list(frame: &mut Frame<'_>, area: Rect, title: &str, mut lines: Vec<Line<'static>>) {
    let room = usize::from(area.height.saturating_sub(1));
    if lines.len() > room && room > 0 {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(Line::from(format!("… {more} more")).dark_gray());
    }
    frame.render_widget(Paragraph::new(lines).block(section(title)), area);
}
