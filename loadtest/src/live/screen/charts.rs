//! The timeline of the load as line charts: main time, main counter, connections. Faults are vertical lines.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Chart, Dataset, GraphType},
};

use super::section::section;
use crate::{
    live::progress::{FaultState, Progress},
    results::{Quantiles, Second},
    thresholds::Unit,
};

/// The charts show at most the last seconds.
const WINDOW_S: f64 = 600.0;

/// Minimum rows of a chart, and of an area with three charts.
const ROWS: (u16, u16) = (5, 21);

/// A line of a chart.
struct Curve {
    color: Color,
    points: Vec<(f64, f64)>,
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let count = if area.height >= ROWS.1 {
        3
    } else {
        usize::from(area.height / ROWS.0).clamp(1, 2)
    };
    let areas = Layout::vertical(vec![Constraint::Fill(1); count]).split(area);
    let charts = [times, rate, connections];
    for (area, chart) in areas.iter().zip(charts) {
        chart(frame, *area, progress);
    }
}

fn times(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let Some(metric) = progress.main_metric() else {
        frame.render_widget(section("times: none yet "), area);
        return;
    };
    let curve = |color, quantile: fn(&Quantiles) -> f64| Curve {
        color,
        points: points(progress, |second| second.times.get(metric.name()).map(quantile)),
    };
    let curves = [
        curve(Color::Green, |times| times.p50_us),
        curve(Color::Yellow, |times| times.p99_us),
    ];
    let show =
        |point: Option<&(f64, f64)>| point.map_or_else(|| "–".into(), |(_, value)| Unit::Micros.show(*value));
    let [median, p99] = &curves;
    let title = Line::from(vec![
        format!("{}: ", metric.name()).into(),
        Span::styled(format!("p50 {}", show(median.points.last())), median.color),
        ", ".into(),
        Span::styled(format!("p99 {} ", show(p99.points.last())), p99.color),
    ]);
    chart(frame, area, progress, title, Unit::Micros, &curves);
}

fn rate(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let counter = progress.main_counter();
    #[expect(clippy::cast_precision_loss, reason = "for a chart")]
    let of = |second: &Second| Some(second.counts.get(counter.name()).copied().unwrap_or(0) as f64);
    let points = points(progress, of);
    let now = points.last().map_or(0.0, |(_, value)| *value);
    let title = format!("{}: {now:.0} per second ", counter.name());
    let curve = Curve {
        color: Color::Cyan,
        points,
    };
    chart(frame, area, progress, title.into(), Unit::Number, &[curve]);
}

fn connections(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    #[expect(clippy::cast_precision_loss, reason = "for a chart")]
    let of = |second: &Second| Some(second.connected.values().sum::<u64>() as f64);
    let title = format!("connections: {} ", progress.connections());
    let curve = Curve {
        color: Color::Blue,
        points: points(progress, of),
    };
    chart(frame, area, progress, title.into(), Unit::Number, &[curve]);
}

/// First and last second of the window.
fn window(progress: &Progress) -> [f64; 2] {
    let first = progress.series.first().map_or(0.0, |second| second.at_s.min(0.0));
    let now = progress.latest().map_or(0.0, |second| second.at_s);
    let end = now.max(progress.length.as_secs_f64()).max(1.0);
    if end - first <= WINDOW_S {
        [first, end]
    } else {
        let end = now.max(first + WINDOW_S);
        [end - WINDOW_S, end]
    }
}

/// The values of the seconds in the window.
fn points(progress: &Progress, of: impl Fn(&Second) -> Option<f64>) -> Vec<(f64, f64)> {
    let [first, _] = window(progress);
    progress
        .series
        .iter()
        .filter(|second| second.at_s >= first)
        .filter_map(|second| Some((second.at_s, of(second)?)))
        .filter(|(_, value)| value.is_finite())
        .collect()
}

fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    progress: &Progress,
    title: Line<'_>,
    unit: Unit,
    curves: &[Curve],
) {
    let window = window(progress);
    let most = curves
        .iter()
        .flat_map(|curve| &curve.points)
        .fold(0.0_f64, |most, (_, value)| most.max(*value));
    // The axis needs a height even if all values are zero.
    let top = if most > 0.0 { most * 1.05 } else { 1.0 };
    let marks: Vec<[(f64, f64); 2]> = progress
        .faults
        .iter()
        .filter(|fault| fault.state != FaultState::Planned)
        .map(|fault| fault.at.as_secs_f64())
        .map(|at| [(at, 0.0), (at, top)])
        .collect();
    let line = |points, color| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(color))
            .data(points)
    };
    let datasets = marks
        .iter()
        .map(|mark| line(mark.as_slice(), Color::Red))
        .chain(
            curves
                .iter()
                .map(|curve| line(curve.points.as_slice(), curve.color)),
        )
        .collect();
    let gray = Style::new().fg(Color::DarkGray);
    let widget = Chart::new(datasets)
        .block(section(title))
        .legend_position(None)
        .x_axis(Axis::default().bounds(window).style(gray))
        .y_axis(
            Axis::default()
                .bounds([0.0, top])
                .labels(["0".to_owned(), unit.show(most)])
                .style(gray),
        );
    frame.render_widget(widget, area);
}
