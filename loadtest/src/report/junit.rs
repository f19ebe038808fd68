//! The verdicts of a load as JUnit XML, which CI systems show: a suite for each run, a case for each requirement.

use std::fmt::Write as _;

use crate::results::{Results, RunResult};

/// The whole file.
pub(super) fn junit(results: &Results) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"switchboard-loadtest\">\n",
    );
    for (run, number) in results.runs.iter().zip(1..) {
        let cases = cases(run);
        let failures = cases.iter().filter(|(_, failure)| failure.is_some()).count();
        let name = escaped(&format!("{}, run {number}", results.name));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" time=\"{:.3}\">",
            cases.len(),
            run.load_s
        );
        for (case, failure) in cases {
            let case = escaped(&case);
            let _ = match failure {
                None => writeln!(text, "    <testcase classname=\"{name}\" name=\"{case}\"/>"),
                Some(why) => writeln!(
                    text,
                    "    <testcase classname=\"{name}\" name=\"{case}\"><failure message=\"{}\"/></testcase>",
                    escaped(&why)
                ),
            };
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

/// Each requirement, and why it is not met.
fn cases(run: &RunResult) -> Vec<(String, Option<String>)> {
    let violations = run
        .violated()
        .map(|(counter, count)| format!("{}: {count}", counter.name()));
    let violations: Vec<_> = violations.collect();
    let missed = |reason: &String| {
        run.thresholds
            .iter()
            .any(|threshold| reason.starts_with(&threshold.text))
    };
    let invalid = run.verdict.reasons.iter();
    let invalid: Vec<_> = invalid
        .filter(|reason| !violations.contains(reason) && !missed(reason))
        .cloned()
        .collect();
    let failure = |reasons: Vec<String>| Some(reasons.join("; ")).filter(|text| !text.is_empty());
    let checks = [
        ("the run is valid".to_owned(), failure(invalid)),
        (
            "no message went wrong".to_owned(),
            failure(violations.iter().chain(&run.violations).cloned().collect()),
        ),
    ];
    let thresholds = run.thresholds.iter().map(|threshold| {
        let measured = format!("measured: {}", threshold.measured);
        (
            threshold.text.clone(),
            Some(measured).filter(|_| !threshold.is_met),
        )
    });
    checks.into_iter().chain(thresholds).collect()
}

/// For an attribute; characters that XML does not allow are left out.
fn escaped(text: &str) -> String {
    let allowed = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'));
    let allowed: String = allowed.collect();
    let entities = [
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\n', "&#10;"),
    ];
    entities
        .iter()
        .fold(allowed, |text, (from, to)| text.replace(*from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_requirement_of_every_run_is_a_case_and_what_failed_says_why() {
        let mut results = example::results();
        let run = &mut results.runs[0];
        run.counts.insert("lost".into(), 2);
        run.thresholds[0].text = "p99(call_setup) < 1us".into();
        run.thresholds[0].is_met = false;
        let missed = format!("p99(call_setup) < 1us: {}", run.thresholds[0].measured);
        run.verdict.reasons = vec!["stopped by the \"user\"".into(), "lost: 2".into(), missed];
        let text = junit(&results);
        let cases: usize = results.runs.iter().map(|run| 2 + run.thresholds.len()).sum();
        assert_eq!(text.matches("<testcase ").count(), cases, "{text}");
        for part in [
            "failures=\"3\"",
            "name=\"the run is valid\"><failure message=\"stopped by the &quot;user&quot;\"/>",
            "<failure message=\"lost: 2",
            "name=\"p99(call_setup) &lt; 1us\"><failure message=\"measured: ",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
