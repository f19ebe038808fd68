//! The series as CSV: one row for each second of each run, and a column for everything that occurs in any run.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    record::{Counter, Metric},
    results::{Results, Second},
};

/// The whole file.
pub(super) fn series(results: &Results) -> String {
    let columns = Columns::of(results);
    let mut text = String::new();
    row(&mut text, columns.heads().iter().map(String::as_str));
    for (index, run) in results.runs.iter().enumerate() {
        for second in &run.series {
            let cells = [(index + 1).to_string(), run.driver.clone()];
            let cells: Vec<String> = cells.into_iter().chain(columns.cells(second)).collect();
            row(&mut text, cells.iter().map(String::as_str));
        }
    }
    text
}

/// The names that occur.
struct Columns<'a> {
    counters: Vec<&'a str>,
    metrics: Vec<&'a str>,
    nodes: BTreeSet<&'a str>,
    servers: BTreeSet<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(results: &'a Results) -> Self {
        let (mut counters, mut metrics) = (BTreeSet::new(), BTreeSet::new());
        let (mut nodes, mut servers) = (BTreeSet::new(), BTreeSet::new());
        for second in results.runs.iter().flat_map(|run| &run.series) {
            counters.extend(second.counts.keys().map(String::as_str));
            metrics.extend(second.times.keys().map(String::as_str));
            nodes.extend(second.connected.keys().map(String::as_str));
            servers.extend(second.server_cores.keys().map(String::as_str));
        }
        Self {
            counters: in_order(Counter::ALL.iter().map(|counter| counter.name()), counters),
            metrics: in_order(Metric::ALL.iter().map(|metric| metric.name()), metrics),
            nodes,
            servers,
        }
    }

    fn heads(&self) -> Vec<String> {
        let mut heads: Vec<String> = ["run", "driver", "at_s"].map(str::to_owned).into();
        heads.extend(self.counters.iter().map(|name| (*name).to_owned()));
        for metric in &self.metrics {
            heads.extend(["p50_us", "p99_us", "max_us"].map(|quantile| format!("{metric}_{quantile}")));
        }
        heads.push("connected".to_owned());
        heads.extend(self.nodes.iter().map(|node| format!("connected_{node}")));
        heads.extend(["calls_under_way", "generator_cores"].map(str::to_owned));
        heads.extend(self.servers.iter().map(|server| format!("cores_{server}")));
        heads
    }

    /// The cells behind run and driver; empty where nothing was measured.
    fn cells(&self, second: &Second) -> Vec<String> {
        let mut cells = vec![second.at_s.to_string()];
        for name in &self.counters {
            cells.push(second.counts.get(*name).copied().unwrap_or(0).to_string());
        }
        for metric in &self.metrics {
            let times = second.times.get(*metric);
            let values = times.map(|times| [times.p50_us, times.p99_us, times.max_us]);
            cells
                .extend(values.map_or_else(Default::default, |values| values.map(|value| value.to_string())));
        }
        cells.push(second.connected.values().sum::<u64>().to_string());
        for node in &self.nodes {
            cells.push(second.connected.get(*node).copied().unwrap_or(0).to_string());
        }
        cells.push(second.calls_under_way.to_string());
        cells.push(second.generator_cores.to_string());
        for server in &self.servers {
            cells.push(
                second
                    .server_cores
                    .get(*server)
                    .map_or_else(String::new, f64::to_string),
            );
        }
        cells
    }
}

/// Known names in their order, then those that this program does not know.
fn in_order<'a>(known: impl Iterator<Item = &'static str>, mut occur: BTreeSet<&'a str>) -> Vec<&'a str> {
    let mut names: Vec<&'a str> = known.filter_map(|name| occur.take(name)).collect();
    names.extend(occur);
    names
}

fn row<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(',');
        }
        // Nodes name themselves, so a name may hold anything.
        if cell.contains(['"', ',', '\n', '\r']) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            text.push_str(cell);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_second_of_every_run_is_a_row_of_the_same_columns() {
        let results = example::results();
        let text = series(&results);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let [first, second] = results.runs.as_slice() else {
            panic!("two runs");
        };
        assert_eq!(rows.len(), 1 + first.series.len() + second.series.len());
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        let column = |name: &str| rows[0].iter().position(|head| *head == name).unwrap();
        assert!(column("planned") < column("calls_started") && column("calls_started") < column("sent"));
        let (row, second) = (&rows[3], &first.series[2]);
        assert_eq!(row[..2], ["1", "switchboard"]);
        assert_eq!(rows[1 + first.series.len()][0], "2");
        let all: u64 = second.connected.values().sum();
        for (name, value) in [
            ("at_s", second.at_s.to_string()),
            ("sent", second.counts["sent"].to_string()),
            ("call_setup_p99_us", second.times["call_setup"].p99_us.to_string()),
            ("connected", all.to_string()),
            ("connected_n1", second.connected["n1"].to_string()),
            ("cores_redis", second.server_cores["redis"].to_string()),
        ] {
            assert_eq!(row[column(name)], value, "{name}");
        }
    }

    #[test]
    fn odd_names_are_quoted() {
        let mut results = example::results();
        results.runs[0].series[0]
            .connected
            .insert("a\",\nb".to_owned(), 1);
        assert!(series(&results).contains("\"connected_a\"\",\nb\""));
    }
}
