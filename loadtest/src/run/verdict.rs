//! How a repeat ended: whether the oracle found a violation, whether the generator itself kept up, whether the
//! thresholds are met.

use crate::{
    record::Counter,
    results::{RunResult, RunVerdict},
    scenario::Scenario,
    thresholds::Threshold,
};

/// The generator was saturated, or the figures are worthless for another reason.
pub(crate) const EXIT_INVALID: u8 = 97;
/// A message was lost without an error, duplicated, reordered, changed, or got no outcome.
pub(crate) const EXIT_ORACLE: u8 = 98;
/// A threshold was missed.
pub(crate) const EXIT_THRESHOLD: u8 = 99;

/// The worst first.
const ORDER: [u8; 3] = [EXIT_ORACLE, EXIT_INVALID, EXIT_THRESHOLD];

/// The worst of several exit codes.
pub(crate) fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let codes: Vec<u8> = codes.into_iter().collect();
    ORDER
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or_default()
}

/// Decides on a repeat with complete figures, or with those until the user `stopped` it.
pub(super) fn decide(
    scenario: &Scenario,
    run: &mut RunResult,
    stopped: Option<String>,
) -> anyhow::Result<()> {
    let mut found = validity(scenario, run);
    found.extend(stopped.map(|reason| (EXIT_INVALID, reason)));
    let violations = run.violated();
    found.extend(violations.map(|(counter, count)| (EXIT_ORACLE, format!("{}: {count}", counter.name()))));
    for text in &scenario.thresholds {
        let threshold: Threshold = text.parse().map_err(anyhow::Error::msg)?;
        let result = threshold.evaluate(run);
        if !result.is_met {
            found.push((EXIT_THRESHOLD, format!("{text}: {}", result.measured)));
        }
        run.thresholds.push(result);
    }
    run.verdict = RunVerdict {
        exit_code: worst(found.iter().map(|(code, _)| *code)),
        reasons: found.into_iter().map(|(_, reason)| reason).collect(),
    };
    Ok(())
}

/// Reasons why the figures say nothing.
fn validity(scenario: &Scenario, run: &RunResult) -> Vec<(u8, String)> {
    let (generator, limits) = (&run.generator, &scenario.generator);
    let (delay_ms, max_ms) = (
        generator.start_delay_p99_us / 1e3,
        limits.max_start_delay.get().as_secs_f64() * 1e3,
    );
    let (dropped, max_dropped) = (generator.dropped_share * 100.0, limits.max_dropped * 100.0);
    let reasons = [
        (
            delay_ms > max_ms,
            format!(
                "the generator was saturated: 1 % of starts were more than {delay_ms:.0} ms late (generator.max_start_delay allows {max_ms} ms); lower the rate, or add workers or agents"
            ),
        ),
        (
            dropped > max_dropped,
            format!(
                "{dropped:.2} % of starts were dropped, because too many were under way (generator.max_dropped allows {max_dropped:.2} %); lower the rate, or raise calls.max_at_once"
            ),
        ),
        (
            run.count(Counter::OracleFull) > 0,
            "the oracle could not follow: too many unfinished sends; lower the rate".to_owned(),
        ),
        (
            run.count(Counter::Planned) == 0,
            "nothing was started: the stages are empty or too short for their rate".to_owned(),
        ),
    ];
    let found = reasons.into_iter().filter(|(is_invalid, _)| *is_invalid);
    found.map(|(_, reason)| (EXIT_INVALID, reason)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    #[test]
    fn each_kind_of_failure_has_its_exit_code_and_the_worst_one_counts() {
        // What; counts; the start delay in seconds; the exit code; the reasons.
        let table = "
            good | connects 10 | 0 | 0 |
            saturated | connects 10 | 0.9 | 97 | lower the rate
            everything at once | lost 1 | 0.9 | 98 | lower the rate, lost: 1, connects >= 1
            a missed threshold | sent 1 | 0 | 99 | connects >= 1";
        let text = "name = \"t\"\nthresholds = [\"connects >= 1\"]\n[idle]\nconnections = 2\n";
        let scenario = load(text, &[]).unwrap();
        for line in table.trim().lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let mut run = RunResult::default();
            run.generator.start_delay_p99_us = cells[2].parse::<f64>().unwrap() * 1e6;
            let (counter, count) = cells[1].split_once(' ').unwrap();
            run.counts.insert(counter.to_owned(), count.parse().unwrap());
            run.counts.insert("planned".to_owned(), 10);
            decide(&scenario, &mut run, None).unwrap();
            let RunVerdict { exit_code, reasons } = run.verdict;
            assert_eq!(exit_code.to_string(), cells[3], "{line}");
            let expected: Vec<_> = cells[4].split(", ").filter(|reason| !reason.is_empty()).collect();
            assert_eq!(reasons.len(), expected.len(), "{line}: {reasons:?}");
            let mut pairs = reasons.iter().zip(expected);
            assert!(
                pairs.all(|(found, expected)| found.contains(expected)),
                "{line}: {reasons:?}"
            );
        }
    }
}
