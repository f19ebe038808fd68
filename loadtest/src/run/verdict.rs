//! How a repeat ended: whether the oracle found something, whether the generator itself kept up, whether the
//! thresholds hold.

use crate::{
    record::Counter,
    results::{RunResult, RunVerdict},
    scenario::Scenario,
    thresholds::Threshold,
};

/// The generator was saturated, or something else makes the figures worthless.
pub(crate) const EXIT_INVALID: u8 = 97;
/// A message was lost in silence, doubled, reordered, changed, or got no final word.
pub(crate) const EXIT_ORACLE: u8 = 98;
/// A threshold was missed.
pub(crate) const EXIT_THRESHOLD: u8 = 99;

/// From the worst on.
const ORDER: [u8; 3] = [EXIT_ORACLE, EXIT_INVALID, EXIT_THRESHOLD];

/// The worst of several exit codes.
pub(crate) fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let codes: Vec<u8> = codes.into_iter().collect();
    ORDER
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or_default()
}

/// Judges a repeat whose figures are all there.
pub(super) fn judge(scenario: &Scenario, run: &mut RunResult) -> anyhow::Result<()> {
    let mut found = Vec::new();
    offences(run, &mut found);
    validity(scenario, run, &mut found);
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

fn count(run: &RunResult, counter: Counter) -> u64 {
    run.counts.get(counter.name()).copied().unwrap_or_default()
}

fn offences(run: &RunResult, found: &mut Vec<(u8, String)>) {
    for counter in Counter::VIOLATIONS {
        let count = count(run, *counter);
        if count > 0 {
            found.push((EXIT_ORACLE, format!("{}: {count}", counter.name())));
        }
    }
}

fn validity(scenario: &Scenario, run: &RunResult, found: &mut Vec<(u8, String)>) {
    let mut invalid = |reason: String| found.push((EXIT_INVALID, reason));
    let (slip_ms, most) = (
        run.generator.start_delay_p99_us / 1e3,
        scenario.generator.most_slip.get(),
    );
    if slip_ms > most.as_secs_f64() * 1e3 {
        invalid(format!(
            "the generator was saturated: 1 % of starts were more than {slip_ms:.0} ms late (generator.most_slip allows {} ms); lower the rate, or add workers or agents",
            most.as_millis()
        ));
    }
    let dropped = run.generator.dropped_share;
    if dropped > scenario.generator.most_dropped {
        invalid(format!(
            "{:.2} % of starts were dropped, because too much was under way (generator.most_dropped allows {:.2} %); lower the rate, or raise calls.most_at_once",
            dropped * 100.0,
            scenario.generator.most_dropped * 100.0
        ));
    }
    if count(run, Counter::OracleFull) > 0 {
        invalid("the oracle could not follow: too many unfinished sends; lower the rate".to_owned());
    }
    if count(run, Counter::Planned) == 0 {
        invalid("nothing was started: the stages are empty or too short for their rate".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    fn judged(change: impl FnOnce(&mut RunResult)) -> RunVerdict {
        let scenario = load(
            "name = \"t\"\nthresholds = [\"connects >= 1\"]\n[idle]\nconnections = 2\n",
            &[],
        );
        let mut run = RunResult::default();
        run.counts.insert("planned".into(), 10);
        run.counts.insert("connects".into(), 10);
        change(&mut run);
        judge(&scenario.unwrap(), &mut run).unwrap();
        run.verdict
    }

    #[test]
    fn a_good_run_ends_with_0_and_no_reasons() {
        let verdict = judged(|_| {});
        assert_eq!((verdict.exit_code, verdict.reasons.len()), (0, 0));
    }

    #[test]
    fn a_saturated_generator_is_97_and_says_what_to_do() {
        let verdict = judged(|run| run.generator.start_delay_p99_us = 900_000.0);
        assert_eq!(verdict.exit_code, EXIT_INVALID);
        assert!(verdict.reasons[0].contains("lower the rate"), "{verdict:?}");
    }

    #[test]
    fn an_offence_is_98_whatever_else_is_wrong() {
        let verdict = judged(|run| {
            run.generator.start_delay_p99_us = 900_000.0;
            run.counts.insert("lost".into(), 1);
            run.counts.remove("connects");
        });
        assert_eq!((verdict.exit_code, verdict.reasons.len()), (EXIT_ORACLE, 3));
    }

    #[test]
    fn a_missed_threshold_is_99() {
        let verdict = judged(|run| {
            run.counts.remove("connects");
        });
        assert_eq!(verdict.exit_code, EXIT_THRESHOLD);
    }
}
