//! Line charts as SVG: axes, lines, legend, fault markers. Colours and fonts are classes of the style sheet, so
//! that one drawing suits light and dark; what the lines mean is for the callers.

mod marks;
mod scale;

use std::fmt::Write as _;

use maud::{Markup, html};

pub(super) use marks::Mark;
pub(super) use scale::{Axis, Unit, nines_of, quantile_of};

use super::words;

/// Lines told apart by colour and dashes; those beyond begin anew.
pub(super) const STYLES: usize = 6;

/// A legend's letter is about this wide, in pixels.
const LETTER: f64 = 6.4;

/// The longest name in a legend, in letters.
const LONGEST_NAME: usize = 28;

/// Rows that a legend may take.
const MOST_LEGEND_ROWS: usize = 3;

/// Room at the left for the ticks' texts, and at the right, in pixels.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 16.0;

/// Room at the bottom for the ticks' texts, in pixels.
const BOTTOM: f64 = 26.0;

/// The height of a row of text, in pixels.
const ROW: f64 = 17.0;

/// A line of a chart.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its name in the legend.
    pub(super) name: String,
    /// Its values at the chart's `xs`; nothing where there is none.
    pub(super) ys: Vec<Option<f64>>,
    /// Where the tint begins, for lines that stand on each other; at zero if empty. What is read off is the
    /// difference.
    pub(super) below: Vec<f64>,
    /// Its colour and dashes, below [`STYLES`].
    pub(super) style: usize,
    /// Whether the room below is tinted.
    pub(super) is_filled: bool,
}

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    /// What it shows, for those who do not see it.
    pub(super) about: String,
    /// Its axes.
    pub(super) x: Axis,
    /// See `x`.
    pub(super) y: Axis,
    /// Where the lines have values.
    pub(super) xs: Vec<f64>,
    /// The lines.
    pub(super) lines: Vec<Line>,
    /// Labelled vertical lines.
    pub(super) marks: Vec<Mark>,
    /// Width and height, in pixels.
    pub(super) size: (f64, f64),
}

impl Chart {
    /// The SVG element.
    pub(super) fn draw(&self) -> Markup {
        let (width, height) = self.size;
        html! {
            svg.chart xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {height}"))
                role="img" aria-label=(self.about) data-chart=(self.data()) {
                (self.draw_inside())
            }
        }
    }

    /// The same as a part of another drawing, with its left upper corner at `x`, `y`.
    pub(super) fn draw_at(&self, x: f64, y: f64) -> Markup {
        html! { g.chart transform=(format!("translate({x} {y})")) { (self.draw_inside()) } }
    }

    fn draw_inside(&self) -> Markup {
        let frame = self.frame();
        html! {
            (self.legend())
            @for (place, text) in self.y.ticks() {
                @let y = format!("{:.1}", frame.y(place));
                line.grid x1=(frame.left) x2=(frame.right) y1=(y) y2=(y) {}
                text.tick x=(frame.left - 8.0) y=(y) dy=".32em" text-anchor="end" { (text) }
            }
            @for (place, text) in self.x.ticks() {
                @let x = format!("{:.1}", frame.x(place));
                line.notch x1=(x) x2=(x) y1=(frame.bottom) y2=(frame.bottom + 4.0) {}
                text.tick x=(x) y=(frame.bottom + 17.0) text-anchor="middle" { (text) }
            }
            line.base x1=(frame.left) x2=(frame.right) y1=(frame.bottom) y2=(frame.bottom) {}
            @for line in &self.lines {
                @if line.is_filled { path class=(format!("area c{}", line.style % STYLES)) d=(self.area(line, &frame)) {} }
            }
            (marks::draw(&self.marks, &self.x, &frame))
            @for line in &self.lines {
                path class=(format!("line c{}", line.style % STYLES)) d=(self.path(line, &frame)) {}
            }
        }
    }

    fn frame(&self) -> Frame {
        let rows = self.legend_places().last().map_or(0, |(_, row)| row + 1);
        #[expect(clippy::cast_precision_loss, reason = "a few rows")]
        let legend = 6.0 + ROW * rows as f64;
        let top = legend + marks::room(&self.marks, &self.x, self.size.0);
        Frame {
            left: LEFT,
            right: self.size.0 - RIGHT,
            top: top + 6.0,
            lanes: legend + 2.0,
            bottom: self.size.1 - BOTTOM,
        }
    }

    /// Where each name stands: its left end in pixels, and its row.
    fn legend_places(&self) -> Vec<(f64, usize)> {
        let (mut x, mut row) = (LEFT, 0);
        let mut places = Vec::new();
        for line in &self.lines {
            let letters = line.name.chars().count().min(LONGEST_NAME);
            #[expect(clippy::cast_precision_loss, reason = "at most LONGEST_NAME")]
            let width = 30.0 + LETTER * letters as f64 + 16.0;
            if x + width > self.size.0 && x > LEFT {
                (x, row) = (LEFT, row + 1);
            }
            if row == MOST_LEGEND_ROWS {
                break;
            }
            places.push((x, row));
            x += width;
        }
        places
    }

    fn legend(&self) -> Markup {
        html! {
            @for (line, (x, row)) in self.lines.iter().zip(self.legend_places()) {
                @let y = 12.0 + ROW * f64::from(u8::try_from(row).unwrap_or(u8::MAX));
                line class=(format!("line c{}", line.style % STYLES)) x1=(x) x2=(x + 22.0) y1=(y) y2=(y) {}
                text.name x=(x + 28.0) y=(y) dy=".34em" { (words::label(&line.name, LONGEST_NAME)) }
            }
        }
    }

    /// The points of a line, in stretches without a hole: x, y, and the y where its tint begins, in pixels.
    fn stretches(&self, line: &Line, frame: &Frame) -> Vec<Vec<(f64, f64, f64)>> {
        let mut stretches = vec![Vec::new()];
        for (index, (x, y)) in self.xs.iter().zip(&line.ys).enumerate() {
            match (y.filter(|y| y.is_finite()), stretches.last_mut()) {
                (Some(y), Some(stretch)) => {
                    let below = line
                        .below
                        .get(index)
                        .map_or(frame.bottom, |y| frame.y(self.y.place(*y)));
                    stretch.push((frame.x(self.x.place(*x)), frame.y(self.y.place(y)), below));
                }
                (None, Some(stretch)) if !stretch.is_empty() => stretches.push(Vec::new()),
                _ => {}
            }
        }
        stretches.retain(|stretch| !stretch.is_empty());
        stretches
    }

    fn path(&self, line: &Line, frame: &Frame) -> String {
        let mut path = String::new();
        for stretch in self.stretches(line, frame) {
            for (index, (x, y, _)) in stretch.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
            }
            if stretch.len() == 1 {
                // A lone point would be invisible; this makes a dot of its round ends.
                path.push_str("h.1");
            }
        }
        path
    }

    fn area(&self, line: &Line, frame: &Frame) -> String {
        let mut path = String::new();
        for stretch in self.stretches(line, frame) {
            let there = stretch.iter().map(|(x, y, _)| (x, y));
            let back = stretch.iter().rev().map(|(x, _, below)| (x, below));
            for (index, (x, y)) in there.chain(back).enumerate() {
                let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
            }
            path.push('Z');
        }
        path
    }

    /// What the page's script needs to read values off.
    fn data(&self) -> String {
        let frame = self.frame();
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                let below = line.below.iter().copied().chain(std::iter::repeat(0.0));
                let values = line
                    .ys
                    .iter()
                    .zip(below)
                    .map(|(y, below)| y.map(|y| rounded(y - below, 5)));
                let values: Vec<_> = values.collect();
                serde_json::json!({"name": line.name, "style": line.style % STYLES, "values": values})
            })
            .collect();
        let xs: Vec<f64> = self.xs.iter().map(|x| rounded(*x, 6)).collect();
        serde_json::json!({
            "left": frame.left, "right": frame.right, "top": frame.top, "bottom": frame.bottom,
            "from": self.x.from, "to": self.x.to, "x": self.x.unit.name(), "y": self.y.unit.name(),
            "xs": xs, "lines": lines,
        })
        .to_string()
    }
}

/// Where the lines are drawn, in pixels.
#[derive(Debug)]
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Where the marks' labels begin.
    lanes: f64,
}

impl Frame {
    fn x(&self, place: f64) -> f64 {
        self.left + place * (self.right - self.left)
    }

    fn y(&self, place: f64) -> f64 {
        self.bottom - place * (self.bottom - self.top)
    }
}

/// The value with so many significant digits: more would only make the page longer.
fn rounded(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a float is small")]
    let exponent = value.abs().log10().floor() as i32;
    let factor = 10_f64.powi(digits - 1 - exponent);
    let rounded = (value * factor).round() / factor;
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(ys: Vec<Option<f64>>) -> Chart {
        Chart {
            about: "a \"test\" <chart>".to_owned(),
            x: Axis::between(0.0, 3.0, Unit::Seconds),
            y: Axis::from_zero(10.0, Unit::Count),
            xs: vec![0.0, 1.0, 2.0, 3.0],
            lines: vec![Line {
                name: "<b>".to_owned(),
                ys,
                below: Vec::new(),
                style: 0,
                is_filled: false,
            }],
            marks: vec![Mark::new(1.0, "kill n1")],
            size: (560.0, 250.0),
        }
    }

    #[test]
    fn a_hole_in_the_values_is_a_hole_in_the_line() {
        let chart = chart(vec![Some(1.0), Some(2.0), None, Some(4.0)]);
        let path = chart.path(&chart.lines[0], &chart.frame());
        assert_eq!(path.matches('M').count(), 2);
        assert!(path.ends_with("h.1"), "{path}");
    }

    #[test]
    fn names_and_words_are_escaped() {
        let drawn = chart(vec![Some(1.0); 4]).draw().into_string();
        assert!(drawn.contains("&lt;b&gt;") && drawn.contains("&quot;test&quot;"));
        assert!(!drawn.contains("<b>"));
    }

    #[test]
    fn values_keep_the_digits_that_matter() {
        assert!((rounded(123_456.0, 3) - 123_000.0).abs() < 1e-6);
        assert!((rounded(0.000_123_456, 3) - 0.000_123).abs() < 1e-12);
    }
}
