//! Labelled vertical lines: what happened when. Labels stand above the lines in as many lanes as they need, up
//! to a bound; those without room keep their line.

use maud::{Markup, html};

use super::{Axis, Frame, LEFT, LETTER, RIGHT, words};

/// Lanes of labels, at most.
const MOST_LANES: usize = 3;

/// Marks in one chart, at most.
const MOST_MARKS: usize = 40;

/// The height of a lane, in pixels.
const LANE: f64 = 15.0;

/// The longest label, in letters.
const LONGEST_LABEL: usize = 24;

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    at: f64,
    label: String,
}

impl Mark {
    /// At the value `at` of the x axis.
    pub(crate) fn new(at: f64, label: &str) -> Self {
        Self {
            at,
            label: words::label(label, LONGEST_LABEL),
        }
    }
}

/// Where a label is: its left end in pixels, and its lane if there is room.
struct Place {
    x: f64,
    start: f64,
    lane: Option<usize>,
}

fn places(marks: &[Mark], x: &Axis, width: f64) -> Vec<Place> {
    let mut ends = [f64::NEG_INFINITY; MOST_LANES];
    marks
        .iter()
        .take(MOST_MARKS)
        .map(|mark| {
            let at = LEFT + x.place(mark.at) * (width - LEFT - RIGHT);
            #[expect(clippy::cast_precision_loss, reason = "at most LONGEST_LABEL")]
            let length = mark.label.chars().count() as f64 * LETTER;
            let start = (at + 4.0).min(width - length - 2.0);
            let lane = ends.iter().position(|end| *end + 8.0 <= start);
            if let Some(end) = lane.and_then(|lane| ends.get_mut(lane)) {
                *end = start + length;
            }
            Place { x: at, start, lane }
        })
        .collect()
}

fn lanes(places: &[Place]) -> usize {
    places
        .iter()
        .filter_map(|place| place.lane)
        .max()
        .map_or(0, |lane| lane + 1)
}

/// How much room the labels need above the lines, in pixels.
pub(super) fn room(marks: &[Mark], x: &Axis, width: f64) -> f64 {
    height(lanes(&places(marks, x, width)))
}

fn height(lanes: usize) -> f64 {
    LANE * f64::from(u8::try_from(lanes).unwrap_or(u8::MAX))
}

/// The lines and labels.
pub(super) fn draw(marks: &[Mark], x: &Axis, frame: &Frame) -> Markup {
    let places = places(marks, x, frame.right + RIGHT);
    html! {
        @for (mark, place) in marks.iter().zip(&places) {
            @let top = place.lane.map_or(frame.top, |lane| frame.lanes + height(lane));
            line.mark x1=(format!("{:.1}", place.x)) x2=(format!("{:.1}", place.x))
                y1=(format!("{top:.1}")) y2=(frame.bottom) {}
            @if place.lane.is_some() {
                text.mark-label x=(format!("{:.1}", place.start)) y=(format!("{:.1}", top + 9.0)) { (mark.label) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::Unit;

    #[test]
    fn labels_that_would_overlap_go_to_lanes_of_their_own() {
        let x = Axis::between(0.0, 60.0, Unit::Seconds);
        let marks: Vec<_> = (0..6)
            .map(|n| Mark::new(20.0 + f64::from(n) * 0.1, "roll n1"))
            .collect();
        let places = places(&marks, &x, 560.0);
        assert_eq!(lanes(&places), MOST_LANES);
        assert!(places[MOST_LANES].lane.is_none());
        assert!(draw_all(&marks, &x).matches("class=\"mark\"").count() == 6);
    }

    #[test]
    fn a_label_at_the_right_end_stays_inside() {
        let x = Axis::between(0.0, 60.0, Unit::Seconds);
        let places = places(&[Mark::new(60.0, "freeze redis")], &x, 560.0);
        assert!(places[0].start + 12.0 * LETTER <= 560.0);
    }

    fn draw_all(marks: &[Mark], x: &Axis) -> String {
        let frame = Frame {
            left: LEFT,
            right: 560.0 - RIGHT,
            top: 60.0,
            bottom: 200.0,
            lanes: 10.0,
        };
        draw(marks, x, &frame).into_string()
    }
}
