//! The page: one HTML file with its style, its script and the results inside. The script draws it in the browser
//! (`page/*.js`); nothing here knows what it looks like.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::curves::{self, Curve, DecodedRun};
use crate::results::Results;

const TEMPLATE: &str = include_str!("page/page.html");

const STYLE: &str = concat!(
    include_str!("page/palette.css"),
    include_str!("page/chart.css"),
    include_str!("page/page.css")
);

const SCRIPT: &str = concat!(
    include_str!("page/html.js"),
    include_str!("page/format.js"),
    include_str!("page/axis.js"),
    include_str!("page/chart.js"),
    include_str!("page/timeline.js"),
    include_str!("page/summary.js"),
    include_str!("page/run.js"),
    include_str!("page/readout.js"),
    include_str!("page/page.js")
);

/// What the page carries.
#[derive(Serialize)]
struct PageData<'a> {
    results: &'a Results,
    /// For each run its percentile curves, by metric.
    curves: Vec<BTreeMap<&'static str, Curve>>,
    /// The scenario as text.
    scenario: String,
    /// Names of the files next to the page.
    files: &'a [&'a str],
}

/// The page.
///
/// # Errors
/// When the results cannot be written as JSON; never seen.
pub(super) fn page(results: &Results, decoded: &[DecodedRun], files: &[&str]) -> anyhow::Result<String> {
    let data = PageData {
        results,
        curves: decoded.iter().map(curves::curves).collect(),
        scenario: scenario(results),
        files,
    };
    // Without `<` no text in the data can end the element that holds it.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c");
    // The browser runs the script with this hash and nothing else.
    let hash = STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()));
    Ok(fill(TEMPLATE, |name| match name {
        "script-hash" => &hash,
        "style" => STYLE,
        "data" => &data,
        "script" => SCRIPT,
        _ => "",
    }))
}

/// The template with each `{{name}}` replaced. What replaces a name is not searched again.
fn fill<'a>(template: &'a str, value: impl Fn(&str) -> &'a str) -> String {
    let mut filled = String::new();
    let mut parts = template.split("{{");
    filled.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or(("", part));
        filled.push_str(value(name));
        filled.push_str(rest);
    }
    filled
}

/// As TOML, or as JSON if TOML cannot express it (`null`).
fn scenario(results: &Results) -> String {
    toml::to_string_pretty(&results.scenario)
        .or_else(|_| serde_json::to_string_pretty(&results.scenario))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        record::{Counter, Metric},
        report::example,
    };

    fn page_of(results: &Results) -> String {
        let decoded = curves::decode_all(results).unwrap();
        page(results, &decoded, &["results.json"]).unwrap()
    }

    /// The text of the element with this opening tag.
    fn element<'a>(page: &'a str, opening: &str) -> &'a str {
        let (_, rest) = page.split_once(opening).unwrap();
        rest.split_once("</script>").unwrap().0
    }

    #[test]
    fn the_page_carries_the_results_whatever_is_in_them() {
        let mut results = example::results();
        results.name = "</script><script>alert(1)</script> {{data}} \u{2028}".to_owned();
        results.runs[0].errors.add("<!-- <b>\"'&", 1);
        let page = page_of(&results);
        assert_eq!(page.matches("<script").count(), 2);
        let data = element(&page, "<script id=\"data\" type=\"application/json\">");
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["results"], serde_json::to_value(&results).unwrap());
        assert_eq!(data["curves"].as_array().unwrap().len(), results.runs.len());
        assert_eq!(data["files"][0], "results.json");
    }

    #[test]
    fn the_page_needs_nothing_else_and_runs_only_its_own_script() {
        let page = page_of(&example::results());
        let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
        for needle in ["http://", "https://", "url(", "@import", "src=", "<link", "{{"] {
            assert!(!elsewhere.contains(needle), "{needle}");
        }
        let script = element(&page, "<script type=\"module\">");
        let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
        assert!(page.contains(&format!("script-src 'sha256-{hash}'")));
    }

    #[test]
    fn the_script_has_a_text_for_every_metric_and_every_violation() {
        for metric in Metric::ALL {
            let line = format!("\n  {}: [", metric.name());
            assert!(SCRIPT.contains(&line), "{metric:?}");
        }
        for violation in Counter::VIOLATIONS {
            let line = format!("\n  [\"{}\", ", violation.name());
            assert!(SCRIPT.contains(&line), "{violation:?}");
        }
    }

    #[test]
    fn a_scenario_that_toml_cannot_express_is_shown_as_json() {
        let mut results = example::results();
        assert!(scenario(&results).contains("[calls]"));
        results.scenario = serde_json::json!({"name": null});
        assert!(scenario(&results).contains("\"name\": null"));
    }
}
