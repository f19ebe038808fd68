//! The page as a whole: one HTML file with its style and script inside, complete without the script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    checks,
    curves::{self, Decoded},
    figures,
    run::{self, LARGE},
    surroundings, words,
};
use crate::{
    record::Metric,
    results::{Results, RunResult},
};

/// Runs with a part of their own; the table has all.
const MOST_RUNS: usize = 20;

/// Runs in the chart that compares runs.
const MOST_COMPARED: usize = super::chart::STYLES;

/// Colours, charts, page.
const STYLE: [&str; 3] = [
    include_str!("assets/palette.css"),
    include_str!("assets/chart.css"),
    include_str!("assets/page.css"),
];

const SCRIPT: &str = include_str!("assets/hover.js");

/// The page. `decoded` has a list for each run; `files` are the names of the files beside it.
pub(super) fn page(results: &Results, decoded: &[Vec<Decoded>], files: &[&str]) -> String {
    let is_one = results.runs.len() == 1;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (results.name) " – load test report" }
                @for style in STYLE { style { (PreEscaped(style)) } }
                @if !is_one { style { (PreEscaped(tab_rules(results.runs.len()))) } }
            }
            body { main {
                (head(results))
                (checks::banner(results))
                (figures::tiles(results))
                @if !is_one { (comparison(results, decoded)) }
                @if is_one { h2 { "The run" } } @else { h2 { "Run by run" } }
                (runs(results, decoded))
                (surroundings::environment(&results.environment))
                (surroundings::scenario(results))
                (surroundings::files(files))
            } }
            script { (PreEscaped(SCRIPT)) }
        }
    }
    .into_string()
}

fn head(results: &Results) -> Markup {
    let load: f64 = results.runs.iter().map(|run| run.load_s).sum();
    html! {
        header {
            p.over { "Switchboard load test" }
            h1 { (results.name) }
            @if !results.about.is_empty() { p.about { (results.about) } }
            p.soft {
                (words::moment(results.started_unix_ms)) " · " (words::seconds(load)) " of load"
                @if results.runs.len() != 1 { " in " (results.runs.len()) " runs" }
                @if let Some(commit) = &results.environment.commit { " · commit " code { (commit) } }
            }
        }
    }
}

/// The runs beside each other.
fn comparison(results: &Results, decoded: &[Vec<Decoded>]) -> Markup {
    let compared = |metric: Metric| {
        let runs = results.runs.iter().zip(decoded).enumerate().take(MOST_COMPARED);
        let named: Vec<(String, &Decoded)> = runs
            .filter_map(|(index, (run, decoded))| {
                let one = decoded
                    .iter()
                    .find(|one| one.metric == metric && !one.corrected.is_empty())?;
                Some((format!("{} {}", index + 1, run.driver), one))
            })
            .collect();
        let named: Vec<_> = named
            .iter()
            .map(|(name, one)| (name.as_str(), &one.corrected))
            .collect();
        let (title, _) = words::metric(metric);
        (named.len() > 1).then(|| {
            let chart = curves::chart(&format!("{title} of all runs, by percentile"), &named, LARGE);
            run::figure(title, "corrected, a line for each run", &chart)
        })
    };
    html! {
        h2 { "All runs" }
        (figures::runs_table(results))
        div.charts {
            @for figure in [Metric::CallSetup, Metric::OneWay].into_iter().filter_map(compared) { (figure) }
        }
        @if results.runs.len() > MOST_COMPARED {
            p.hint { "The charts compare the first " (MOST_COMPARED) " runs; the table has all." }
        }
    }
}

/// A part for each run, behind tabs that work without a script.
fn runs(results: &Results, decoded: &[Vec<Decoded>]) -> Markup {
    let shown: Vec<(usize, (&RunResult, &Vec<Decoded>))> = results
        .runs
        .iter()
        .zip(decoded)
        .enumerate()
        .take(MOST_RUNS)
        .collect();
    html! {
        @if results.runs.is_empty() { p.warning { "There is no run in these results." } }
        @if let [(_, (run, decoded))] = shown.as_slice() {
            (run::run(results, run, decoded))
        } @else {
            div.tabs {
                @for (index, (run, _)) in &shown {
                    @let id = format!("run{}", index + 1);
                    input type="radio" name="run" id=(id) checked[*index == 0];
                    label for=(id) {
                        "Run " (index + 1) " "
                        @if run.verdict.exit_code != 0 { span.alert title=(checks::verdict(run.verdict.exit_code).1) { "!" } }
                    }
                }
                @for (index, (run, decoded)) in &shown {
                    section class=(format!("run run{}", index + 1)) {
                        h2.print { "Run " (index + 1) }
                        (run::run(results, run, decoded))
                    }
                }
            }
        }
        @if results.runs.len() > MOST_RUNS {
            p.hint { "Runs beyond the first " (MOST_RUNS) " are in the table above and in the files beside this page." }
        }
    }
}

/// Which tab shows which part.
fn tab_rules(runs: usize) -> String {
    (1..=runs.min(MOST_RUNS))
        .map(|run| format!("#run{run}:checked~.run{run}{{display:block}}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn page_of(results: &Results) -> String {
        let decoded: Vec<_> = results
            .runs
            .iter()
            .enumerate()
            .map(|(index, run)| curves::decode(index + 1, run).unwrap())
            .collect();
        page(results, &decoded, &["results.json"])
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let page = page_of(&sample::results());
        let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
        for needle in ["http://", "https://", "url(", "@import", "src=", "<link"] {
            assert!(!elsewhere.contains(needle), "{needle}");
        }
        assert!(page.len() < 2_000_000, "{}", page.len());
    }

    #[test]
    fn whatever_others_named_is_escaped() {
        let evil = "<script>alert(1)</script>\" onload=\"x";
        let mut results = sample::with_a_loss();
        results.name = evil.to_owned();
        results.about = evil.to_owned();
        results.environment.notes.push(evil.to_owned());
        results.scenario = serde_json::json!({"name": evil});
        let run = &mut results.runs[0];
        run.driver = evil.to_owned();
        run.errors.add(evil, 1);
        run.stories.push(evil.to_owned());
        run.faults[0].what = evil.to_owned();
        run.verdict.reasons.push(evil.to_owned());
        run.series[0].connected.insert(evil.to_owned(), 7);
        run.servers[0].metrics.insert(evil.to_owned(), 1.0);
        let page = page_of(&results);
        assert!(!page.contains("<script>alert") && !page.contains("\" onload=\""));
        assert_eq!(page.matches("<script").count(), 1);
    }

    #[test]
    fn results_of_nothing_make_a_page_too() {
        let mut results = sample::results();
        results.runs = vec![RunResult::default()];
        assert!(page_of(&results).contains("Passed"));
        results.runs.clear();
        assert!(page_of(&results).contains("no run"));
    }
}
