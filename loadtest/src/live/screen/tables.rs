//! Times and counters so far, and the connections of each node.

use ratatui::{
    Frame,
    layout::{Constraint, Direction, Layout, Rect},
    style::{Color, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Bar, BarChart, BarGroup, Paragraph, Row, Table},
};

use super::section::section;
use crate::{
    live::progress::Progress,
    record::{Counter, Metric},
    thresholds::Unit,
};

/// Nodes with a bar, at most; those with the fewest connections are left out.
const MAX_BARS: usize = 6;

/// Columns of a counter's name and value.
const COUNTER_WIDTH: u16 = 24;

/// Columns of a node's name.
const NODE_WIDTH: usize = 12;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    // One row each, and one for the rule above.
    let times = u16::try_from(progress.times.len())
        .unwrap_or(u16::MAX)
        .saturating_add(1);
    let nodes = progress.latest().map_or(0, |second| second.connected.len());
    let nodes = u16::try_from(nodes.clamp(1, MAX_BARS)).unwrap_or(1) + 1;
    let [times, counters, nodes] = Layout::vertical([
        Constraint::Max(times.min(area.height / 3 + 1)),
        Constraint::Min(4),
        Constraint::Max(nodes),
    ])
    .areas(area);
    self::times(frame, times, progress);
    self::counters(frame, counters, progress);
    self::nodes(frame, nodes, progress);
}

fn times(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let show = |micros| Line::from(Unit::Micros.show(micros)).right_aligned();
    let rows = Metric::ALL.into_iter().filter_map(|metric| {
        let times = progress.times.get(&metric)?;
        Some(Row::new([
            Line::from(metric.name()),
            show(times.p50_us),
            show(times.p99_us),
            show(times.max_us),
        ]))
    });
    let [title, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let widths = [12, 8, 8, 8].map(Constraint::Max);
    let names = [
        Line::from("times").bold(),
        Line::from("p50").right_aligned(),
        Line::from("p99").right_aligned(),
        Line::from("max").right_aligned(),
    ];
    let head = Table::new([Row::new(names)], widths).style(Style::new().fg(Color::Gray));
    frame.render_widget(head, title);
    frame.render_widget(Table::new(rows, widths), rest);
}

/// Violations first, in red; then the other counters.
fn counters(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let entry = |counter: Counter, count: u64, style: Style| {
        let (name, width) = (counter.name(), usize::from(COUNTER_WIDTH) - 2);
        let room = width.saturating_sub(name.len());
        Span::styled(format!("{name}{count:>room$}  "), style)
    };
    let violations: Vec<_> = progress.violations().collect();
    let others = Counter::ALL
        .iter()
        .map(|counter| (*counter, progress.count(*counter)))
        .filter(|entry| entry.1 > 0 && !violations.contains(entry));
    let red = Style::new().fg(Color::Red).bold();
    let entries: Vec<Span<'_>> = violations
        .iter()
        .map(|(counter, count)| entry(*counter, *count, red))
        .chain(others.map(|(counter, count)| entry(counter, count, failure_style(counter))))
        .collect();
    let columns = usize::from(area.width / COUNTER_WIDTH).max(1);
    let title = if violations.is_empty() {
        "counters "
    } else {
        "counters: VIOLATIONS "
    };
    let mut lines: Vec<Line<'_>> = entries
        .chunks(columns)
        .map(|line| Line::from(line.to_vec()))
        .collect();
    if violations.is_empty() && progress.count(Counter::Arrived) > 0 {
        lines.insert(0, Line::from("no violations").green());
    }
    frame.render_widget(Paragraph::new(lines).block(section(title)), area);
}

/// Yellow for failures that are no violations.
fn failure_style(counter: Counter) -> Style {
    let is_failure = [
        Counter::Dropped,
        Counter::CallsFailed,
        Counter::ConnectsFailed,
        Counter::Disconnects,
        Counter::Gaps,
        Counter::PlacementMissed,
        Counter::SendErrors,
    ]
    .contains(&counter);
    if is_failure {
        Style::new().fg(Color::Yellow)
    } else {
        Style::new()
    }
}

fn nodes(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let mut nodes: Vec<_> = progress
        .latest()
        .map(|second| second.connected.iter().collect())
        .unwrap_or_default();
    let all = nodes.len();
    if all > MAX_BARS {
        nodes.sort_by(|a, b| b.1.cmp(a.1));
        nodes.truncate(MAX_BARS);
    }
    let bars: Vec<Bar<'_>> = nodes
        .iter()
        .map(|(name, count)| {
            let name: String = name.chars().take(NODE_WIDTH).collect();
            Bar::with_label(name, **count).text_value(count.to_string())
        })
        .collect();
    let more = match all.saturating_sub(MAX_BARS) {
        0 => String::new(),
        more => format!(", {more} nodes not shown"),
    };
    let chart = BarChart::default()
        .direction(Direction::Horizontal)
        .bar_width(1)
        .bar_gap(0)
        .bar_style(Style::new().fg(Color::Blue))
        .value_style(Style::new().fg(Color::White).bg(Color::Blue))
        .data(BarGroup::default().bars(&bars))
        .block(section(format!("connections: {}{more} ", progress.connections())));
    frame.render_widget(chart, area);
}
