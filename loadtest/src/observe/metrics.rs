//! The Prometheus text of a server, and what it counted between two readings. Not a full parser: no help, no
//! timestamps, no exemplars.

use std::collections::BTreeMap;

/// Values by series, as they stand in the text: `name{label="value"}`.
pub(super) type Series = BTreeMap<String, f64>;

/// The most series that are kept of a text, and of a difference. Labels of servers are bounded; strangers' may not be.
const MAX_READ: usize = 20_000;

/// The most series of a difference, the first by name.
const MAX_CHANGED: usize = 400;

/// Name endings of counters, by Prometheus' rules for names. Buckets are left out: they are many, and times
/// are measured at the clients.
const COUNTED: [&str; 3] = ["_total", "_count", "_sum"];

/// Reads the text. Lines that are none are passed over, as are values that are no finite number.
pub(super) fn parse(text: &str) -> Series {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (series, rest) = line.split_at(series_length(line)?);
        let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
        value.is_finite().then(|| (series.to_owned(), value))
    });
    values.take(MAX_READ).collect()
}

/// What was counted from `before` to `after`, where it changed. A counter that went down began anew in between, with
/// its process; then what it says is what was counted since.
pub(super) fn changed(before: &Series, after: &Series) -> Series {
    let counted = after.iter().filter(|(series, _)| {
        let name = name(series);
        COUNTED.iter().any(|ending| name.ends_with(ending))
    });
    let changes = counted.filter_map(|(series, now)| {
        let then = before.get(series).copied().unwrap_or_default();
        let change = if *now < then { *now } else { *now - then };
        (change != 0.0).then(|| (series.clone(), change))
    });
    changes.take(MAX_CHANGED).collect()
}

/// The sum over all labels of a metric.
pub(super) fn total(series: &Series, metric: &str) -> f64 {
    let of_it = series.iter().filter(|(series, _)| name(series) == metric);
    of_it.map(|(_, value)| value).sum()
}

fn name(series: &str) -> &str {
    series.split_once('{').map_or(series, |(name, _)| name)
}

/// Where the series ends and its value begins. Label values may hold spaces, braces and escaped quotes.
fn series_length(line: &str) -> Option<usize> {
    let name_end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    if !line[name_end..].starts_with('{') {
        return Some(name_end);
    }
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in line.char_indices().skip_while(|(at, _)| *at < name_end) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# HELP switchboard_messages_total Messages.
# TYPE switchboard_messages_total counter
switchboard_messages_total{outcome="delivered",kind="offer"} 12
switchboard_messages_total{outcome="odd } \" one"} 3 1700000000000
switchboard_connections{transport="ws"} 5
switchboard_connections{transport="sse"} 2
process_cpu_seconds_total 1.5e-2
switchboard_delivery_duration_seconds_bucket{le="+Inf"} 9
switchboard_delivery_duration_seconds_sum NaN
broken{label="
"#;

    #[test]
    fn a_text_reads_as_series_and_values() {
        let series = parse(TEXT);
        assert_eq!(series.len(), 6, "{series:?}");
        assert_eq!(
            series[r#"switchboard_messages_total{outcome="odd } \" one"}"#],
            3.0
        );
        assert_eq!(series["process_cpu_seconds_total"], 0.015);
        assert_eq!(total(&series, "switchboard_connections"), 7.0);
    }

    #[test]
    fn only_counters_that_changed_are_kept() {
        let of = |text: &str| parse(text);
        let before = of("a_total 5\nb_total 7\nc_count 9\ngauge 1\nh_bucket{le=\"1\"} 1");
        let after = of("a_total 8\nb_total 7\nc_count 4\nd_sum 2.5\ngauge 9\nh_bucket{le=\"1\"} 3");
        let expected = of("a_total 3\nc_count 4\nd_sum 2.5");
        assert_eq!(changed(&before, &after), expected);
    }

    #[test]
    fn a_server_with_endless_labels_is_cut_short() {
        let text: String = (0..MAX_READ + 10)
            .map(|n| format!("a_total{{n=\"{n}\"}} 1\n"))
            .collect();
        let series = parse(&text);
        assert_eq!(series.len(), MAX_READ);
        assert_eq!(changed(&Series::new(), &series).len(), MAX_CHANGED);
    }
}
