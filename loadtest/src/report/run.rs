//! The part of the page that belongs to one run.

use maud::{Markup, html};

use super::{chart::Chart, checks, course::Course, curves::Decoded, healing, servers, times, words};
use crate::results::{Results, RunResult};

/// Width and height of a chart, in pixels; the page scales it.
pub(super) const LARGE: (f64, f64) = (560.0, 260.0);

/// The same of a small one.
pub(super) const SMALL: (f64, f64) = (380.0, 210.0);

/// All about one run.
pub(super) fn run(results: &Results, run: &RunResult, decoded: &[Decoded]) -> Markup {
    let panels = Course::new(run, LARGE).panels();
    html! {
        p.soft {
            (words::label(&run.driver, 40)) " · " (words::seconds(run.load_s)) " of load · "
            (checks::badge(run.verdict.exit_code))
        }
        div.columns {
            div { (checks::thresholds(run)) (checks::errors(&run.errors)) }
            div { (checks::oracle(run)) }
        }
        (times::times(run, decoded))
        @if !panels.is_empty() {
            h3 { "The course of it" }
            div.charts { @for panel in &panels { (figure(&panel.title, &panel.hint, &panel.chart)) } }
        }
        (healing::faults(run))
        (servers::servers(run))
        (servers::generator(results, run))
    }
}

/// A chart with its title.
pub(super) fn figure(title: &str, hint: &str, chart: &Chart) -> Markup {
    html! {
        figure {
            figcaption { b { (title) } " " span.soft { (hint) } }
            (chart.draw())
        }
    }
}
