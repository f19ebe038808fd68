//! The two charts that say the most, as one SVG file for documents. It follows the reader's light or dark scheme
//! by itself.

use hdrhistogram::Histogram;
use maud::{PreEscaped, html};

use super::{course::Course, curves};
use crate::{record::Metric, results::Results};

/// Width and height of each chart, in pixels.
const CHART: (f64, f64) = (560.0, 280.0);

/// Room above the charts for the titles, in pixels.
const HEAD: f64 = 44.0;

/// Room around and between the charts, in pixels.
const GAP: f64 = 16.0;

const STYLE: [&str; 2] = [
    include_str!("assets/palette.css"),
    include_str!("assets/chart.css"),
];

/// The picture: percentile curves, and the course of the times, of the first run. A chart for which nothing was
/// measured is left out.
pub(crate) fn picture(results: &Results) -> String {
    let run = results.runs.first();
    let decoded = run
        .and_then(|run| curves::decode(1, run).ok())
        .unwrap_or_default();
    let measured: Vec<_> = decoded.iter().filter(|one| !one.corrected.is_empty()).collect();
    let wanted = [Metric::CallSetup, Metric::OneWay];
    let mut chosen: Vec<_> = measured
        .iter()
        .filter(|one| wanted.contains(&one.metric))
        .collect();
    if chosen.is_empty() {
        chosen = measured.iter().take(1).collect();
    }
    let named: Vec<(String, &Histogram<u64>)> = chosen
        .iter()
        .map(|one| (super::words::metric(one.metric).0.to_owned(), &one.corrected))
        .collect();
    let named: Vec<_> = named
        .iter()
        .map(|(name, histogram)| (name.as_str(), *histogram))
        .collect();
    let mut charts = Vec::new();
    if !named.is_empty() {
        charts.push((
            "Times by percentile, corrected".to_owned(),
            curves::chart("by percentile", &named, CHART),
        ));
    }
    if let (Some(run), Some(one)) = (run.filter(|run| !run.series.is_empty()), chosen.first()) {
        let panel = Course::new(run, CHART).times(one.metric);
        charts.push((
            format!("{} over the seconds of the run", panel.title),
            panel.chart,
        ));
    }
    let (width, height) = (2.0 * CHART.0 + 3.0 * GAP, CHART.1 + HEAD + GAP);
    let about = format!("Load test {}: times by percentile and over time", results.name);
    let drawn = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
            viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(about) {
            @for style in STYLE { style { (PreEscaped(style)) } }
            rect.card width=(width) height=(height) rx="10" {}
            @for (place, (title, chart)) in charts.iter().enumerate() {
                @let x = GAP + if place == 0 { 0.0 } else { CHART.0 + GAP };
                text.title x=(x + 8.0) y="30" { (title) }
                (chart.draw_at(x, HEAD))
            }
        }
    };
    drawn.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_picture_stands_alone() {
        let picture = picture(&sample::results());
        assert!(picture.starts_with("<svg xmlns") && picture.ends_with("</svg>"));
        assert_eq!(picture.matches("class=\"title\"").count(), 2);
        assert!(picture.contains("Call set-up over the seconds") && picture.contains("prefers-color-scheme"));
    }

    #[test]
    fn nothing_measured_makes_an_empty_picture() {
        let mut results = sample::results();
        results.runs.clear();
        assert!(!picture(&results).contains("<path"));
    }
}
