//! The course of a run over its seconds: times, rates, connections, CPU, troubles, each with the faults marked.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    chart::{Axis, Chart, Line, Mark, STYLES, Unit},
    words,
};
use crate::{
    record::{Counter, Metric},
    results::{Quantiles, RunResult, Second},
};

/// Points of a line, at most; of longer runs several seconds make one.
const MOST_POINTS: usize = 600;

/// A chart with its title and a sentence that says how to read it.
#[derive(Debug)]
pub(super) struct Panel {
    /// The title.
    pub(super) title: String,
    /// The sentence; may be empty.
    pub(super) hint: String,
    /// The chart.
    pub(super) chart: Chart,
}

/// How the seconds of one point are put together.
#[derive(Debug, Clone, Copy)]
enum Together {
    Mean,
    Most,
}

/// A run's seconds, cut into as many pieces as there are points.
#[derive(Debug)]
pub(super) struct Course<'a> {
    run: &'a RunResult,
    pieces: Vec<&'a [Second]>,
    size: (f64, f64),
}

impl<'a> Course<'a> {
    /// Of a run, for charts of that size in pixels.
    pub(super) fn new(run: &'a RunResult, size: (f64, f64)) -> Self {
        let seconds = run.series.len().div_ceil(MOST_POINTS).max(1);
        Self {
            run,
            pieces: run.series.chunks(seconds).collect(),
            size,
        }
    }

    /// All charts for which there is something to show.
    pub(super) fn panels(&self) -> Vec<Panel> {
        if self.pieces.is_empty() {
            return Vec::new();
        }
        let mut panels: Vec<Panel> = self
            .metrics()
            .into_iter()
            .map(|metric| self.times(metric))
            .collect();
        panels.extend(self.rates(
            "Starts a second",
            "What the schedule planned, and what came of it.",
            &[
                Counter::Planned,
                Counter::CallsStarted,
                Counter::CallsSetUp,
                Counter::Connects,
                Counter::AbuseRefused,
            ],
        ));
        panels.extend(self.rates("Messages a second", "", &[Counter::Sent, Counter::Arrived]));
        let connected = self.named(|second| {
            second
                .connected
                .iter()
                .map(|(node, count)| (node.as_str(), as_f64(*count)))
                .collect()
        });
        if !connected.is_empty() {
            let hint = "At the end of each second; nodes stand on each other, the top is the sum.";
            panels.push(self.panel("Connections by node", hint, Unit::Count, stacked(connected)));
        }
        if self.run.series.iter().any(|second| second.calls_under_way > 0) {
            let line = self.line("calls under way", 0, Together::Mean, |second| {
                Some(as_f64(second.calls_under_way))
            });
            panels.push(self.panel("Calls under way", "", Unit::Count, vec![line]));
        }
        let cores = self.named(|second| {
            let servers = second
                .server_cores
                .iter()
                .map(|(name, cores)| (name.as_str(), *cores));
            servers.chain([("generator", second.generator_cores)]).collect()
        });
        if !cores.is_empty() {
            let hint = "In cores; the generator is this program itself.";
            panels.push(self.panel("CPU", hint, Unit::Cores, cores));
        }
        panels.extend(self.rates(
            "Troubles a second",
            "Things that failed and were told; only what occurred.",
            &[
                Counter::CallsFailed,
                Counter::ConnectsFailed,
                Counter::Disconnects,
                Counter::Told,
                Counter::Dropped,
                Counter::AbuseAccepted,
            ],
        ));
        panels
    }

    /// The chart of a metric's times.
    pub(super) fn times(&self, metric: Metric) -> Panel {
        let of = |quantile: fn(&Quantiles) -> f64| {
            move |second: &Second| {
                second
                    .times
                    .get(metric.name())
                    .map(quantile)
                    .filter(|us| *us > 0.0)
            }
        };
        let lines = vec![
            self.line("p50", 0, Together::Mean, of(|times| times.p50_us)),
            self.line("p99", 1, Together::Most, of(|times| times.p99_us)),
            self.line("longest", 2, Together::Most, of(|times| times.max_us)),
        ];
        let (title, about) = words::metric(metric);
        self.panel(title, &format!("Corrected: {about}."), Unit::Micros, lines)
    }

    /// The metrics whose course is shown: calls and messages; where there are none, the first two that occur.
    fn metrics(&self) -> Vec<Metric> {
        let occurs = |metric: &Metric| {
            self.run
                .series
                .iter()
                .any(|second| second.times.contains_key(metric.name()))
        };
        let chosen = [Metric::CallSetup, Metric::OneWay, Metric::Reconnect];
        let chosen: Vec<Metric> = chosen.into_iter().filter(occurs).collect();
        if chosen.is_empty() {
            let all = Metric::ALL.into_iter().filter(|metric| *metric != Metric::Slip);
            return all.filter(occurs).take(2).collect();
        }
        chosen
    }

    /// A line a counter that occurs; nothing if none does.
    fn rates(&self, title: &str, hint: &str, counters: &[Counter]) -> Option<Panel> {
        let count = |second: &Second, counter: Counter| second.counts.get(counter.name()).copied();
        let lines: Vec<Line> = counters
            .iter()
            .filter(|counter| {
                self.run
                    .series
                    .iter()
                    .any(|second| count(second, **counter).unwrap_or(0) > 0)
            })
            .enumerate()
            .map(|(style, counter)| {
                let name = words::key(counter.name()).to_lowercase();
                self.line(&name, style, Together::Mean, |second| {
                    Some(as_f64(count(second, *counter).unwrap_or(0)))
                })
            })
            .collect();
        (!lines.is_empty()).then(|| self.panel(title, hint, Unit::Count, lines))
    }

    /// A line a name; those beyond what can be told apart are summed up.
    fn named<'s>(&self, values: impl Fn(&'s Second) -> BTreeMap<&'s str, f64>) -> Vec<Line>
    where
        'a: 's,
    {
        let mut peaks: BTreeMap<&str, f64> = BTreeMap::new();
        for second in &self.run.series {
            for (name, value) in values(second) {
                let peak = peaks.entry(name).or_default();
                *peak = peak.max(value);
            }
        }
        let mut names: Vec<(&str, f64)> = peaks.into_iter().filter(|(_, peak)| *peak > 0.0).collect();
        names.sort_by(|a, b| b.1.total_cmp(&a.1));
        let kept = if names.len() > STYLES { STYLES - 1 } else { STYLES };
        let others: BTreeSet<&str> = names
            .split_off(kept.min(names.len()))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort_by(|a, b| a.0.cmp(b.0));
        let mut lines: Vec<Line> = names
            .iter()
            .enumerate()
            .map(|(style, (name, _))| {
                self.line(name, style, Together::Mean, |second| {
                    Some(values(second).get(name).copied().unwrap_or(0.0))
                })
            })
            .collect();
        if !others.is_empty() {
            let name = format!("{} others together", others.len());
            lines.push(self.line(&name, STYLES - 1, Together::Mean, |second| {
                let values = values(second).into_iter();
                Some(
                    values
                        .filter(|(name, _)| others.contains(name))
                        .map(|(_, value)| value)
                        .sum(),
                )
            }));
        }
        lines
    }

    fn panel(&self, title: &str, hint: &str, unit: Unit, lines: Vec<Line>) -> Panel {
        let all = || lines.iter().flat_map(|line| line.ys.iter().flatten().copied());
        let most = all().fold(0.0, f64::max);
        let y = if unit == Unit::Micros {
            Axis::log(all().fold(f64::INFINITY, f64::min), most, unit)
        } else {
            Axis::from_zero(most, unit)
        };
        let xs: Vec<f64> = self
            .pieces
            .iter()
            .filter_map(|piece| Some(piece.last()?.at_s))
            .collect();
        let seconds = self.pieces.first().map_or(1, |piece| piece.len());
        let mut hint = hint.to_owned();
        if seconds > 1 {
            hint.push_str(&format!(" A point is {seconds} seconds."));
        }
        let (first, last) = (
            xs.first().copied().unwrap_or(0.0),
            xs.last().copied().unwrap_or(1.0),
        );
        let chart = Chart {
            about: format!("{title} over the seconds of the run"),
            x: Axis::between(first.min(0.0), last, Unit::Seconds),
            y,
            xs,
            lines,
            marks: self.marks(first),
            size: self.size,
        };
        Panel {
            title: title.to_owned(),
            hint,
            chart,
        }
    }

    fn marks(&self, first: f64) -> Vec<Mark> {
        let start = (first < -1.0).then(|| Mark::new(0.0, "load begins"));
        start
            .into_iter()
            .chain(
                self.run
                    .faults
                    .iter()
                    .map(|fault| Mark::new(fault.at_s, &fault.what)),
            )
            .collect()
    }

    fn line<'s>(
        &self,
        name: &str,
        style: usize,
        together: Together,
        value: impl Fn(&'s Second) -> Option<f64>,
    ) -> Line
    where
        'a: 's,
    {
        let ys = self.pieces.iter().map(|piece| {
            let values: Vec<f64> = piece.iter().filter_map(&value).collect();
            if values.is_empty() {
                return None;
            }
            Some(match together {
                Together::Mean => values.iter().sum::<f64>() / as_f64(values.len() as u64),
                Together::Most => values.iter().copied().fold(0.0, f64::max),
            })
        });
        Line {
            name: name.to_owned(),
            ys: ys.collect(),
            below: Vec::new(),
            style,
            is_filled: false,
        }
    }
}

/// The lines on top of each other, tinted.
fn stacked(mut lines: Vec<Line>) -> Vec<Line> {
    let mut sums: Vec<f64> = Vec::new();
    for line in &mut lines {
        sums.resize(line.ys.len(), 0.0);
        line.below.clone_from(&sums);
        line.is_filled = true;
        for (y, sum) in line.ys.iter_mut().zip(&mut sums) {
            *sum += y.unwrap_or(0.0);
            *y = y.map(|_| *sum);
        }
    }
    lines
}

#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn long_runs_keep_to_their_bound_of_points_and_their_peaks() {
        let mut run = sample::results().runs.remove(0);
        let template = run.series[30].clone();
        run.series = (0..3_601)
            .map(|at| {
                let mut second = template.clone();
                second.at_s = f64::from(at);
                second
            })
            .collect();
        run.series[1_000].times.get_mut("call_setup").unwrap().p99_us = 9e6;
        let panel = Course::new(&run, (560.0, 250.0)).times(Metric::CallSetup);
        assert!(panel.chart.xs.len() <= MOST_POINTS);
        assert!(panel.chart.lines[1].ys.contains(&Some(9e6)));
        assert!(panel.hint.contains("7 seconds"), "{}", panel.hint);
    }

    #[test]
    fn many_nodes_are_summed_up() {
        let mut run = sample::results().runs.remove(0);
        for second in &mut run.series {
            second.connected = (0..20).map(|node| (format!("n{node}"), node + 1)).collect();
        }
        let course = Course::new(&run, (560.0, 250.0));
        let panels = course.panels();
        let panel = panels
            .iter()
            .find(|panel| panel.title == "Connections by node")
            .unwrap();
        assert_eq!(panel.chart.lines.len(), STYLES);
        // 1 to 15 together, on top of 16 to 20.
        let others = &panel.chart.lines[STYLES - 1];
        assert_eq!((others.ys[0], others.below[0]), (Some(210.0), 90.0));
    }
}
