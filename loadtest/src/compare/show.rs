//! A comparison as a table, for a terminal or in Markdown.

use std::fmt;

use switchboard_harness::stats::range;

use super::{Comparison, Difference, Row, SIGNIFICANT, Side, side::MIN_RUNS};

const HEAD: [&str; 5] = ["figure", "a: median [range]", "b: median [range]", "b/a", "b is"];

impl Comparison {
    /// What the last column says of all figures at once, and whether there is such a column.
    fn note(&self) -> (String, bool) {
        let too_few = |row: &Row| matches!(row.difference, Difference::TooFew | Difference::OneSided);
        if self.rows.iter().all(too_few) {
            let note = format!(
                "medians only: with fewer than {MIN_RUNS} runs on a side, chance alone explains any difference; run both with \
                 --repeats 5"
            );
            return (note, false);
        }
        let note = format!(
            "same: chance alone makes such a difference in more than {:.0} % of all cases (Mann-Whitney, two-sided)",
            SIGNIFICANT * 100.0
        );
        (note, true)
    }

    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let [a, b] = &self.heads;
        let mut lines = vec![format!("- a: {a}"), format!("- b: {b}"), String::new()];
        lines.extend(
            self.warnings
                .iter()
                .map(|warning| format!("> **Warning:** {warning}\n")),
        );
        let (note, has_last) = self.note();
        let columns = HEAD.len() - usize::from(!has_last);
        let line = |cells: &[&str]| format!("| {} |", cells.get(..columns).unwrap_or(cells).join(" | "));
        lines.extend([line(&HEAD), line(&["---", "---", "---", "---:", "---"])]);
        lines.extend(
            self.rows
                .iter()
                .map(|row| line(&row.cells().each_ref().map(String::as_str))),
        );
        lines.extend([String::new(), note]);
        if !self.gates.is_empty() {
            lines.extend([
                String::new(),
                "| fail on | outcome | |".into(),
                "| --- | --- | --- |".into(),
            ]);
        }
        for gate in &self.gates {
            let result = if gate.is_failed { "**failed**" } else { "ok" };
            lines.push(format!("| `{}` | {} | {result} |", gate.text, gate.outcome));
        }
        lines.join("\n") + "\n"
    }
}

impl Row {
    fn cells(&self) -> [String; 5] {
        let side = |side: &Side| match (side.median(), range(&side.values)) {
            (Some(median), Some((least, most))) => {
                let show = |value| self.figure.unit().show(value);
                format!("{} [{} … {}]", show(median), show(least), show(most))
            }
            _ => "–".into(),
        };
        let ratio = match (self.a.median(), self.b.median()) {
            (Some(a), Some(b)) if a != 0.0 => format!("{:.2}", b / a),
            _ => "–".into(),
        };
        [
            self.figure.to_string(),
            side(&self.a),
            side(&self.b),
            ratio,
            self.difference.to_string(),
        ]
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Better(p) => write!(f, "better (p={p:.3})"),
            Self::Worse(p) => write!(f, "worse (p={p:.3})"),
            Self::Same(p) => write!(f, "same (p={p:.3})"),
            Self::TooFew => f.write_str("–"),
            Self::OneSided => f.write_str("missing on one side"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = &self.heads;
        writeln!(f, "a: {a}\nb: {b}")?;
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        writeln!(f)?;
        let rows: Vec<[String; 5]> = std::iter::once(HEAD.map(String::from))
            .chain(self.rows.iter().map(Row::cells))
            .collect();
        let mut widths = [0; 5];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let [figure, of_a, of_b, ratio, _] = widths;
        let (note, has_last) = self.note();
        for [name, a, b, by, difference] in &rows {
            let difference = if has_last { difference } else { "" };
            let line = format!("{name:figure$}  {a:of_a$}  {b:of_b$}  {by:>ratio$}  {difference}");
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "\n{note}")?;
        for gate in &self.gates {
            let result = if gate.is_failed { "FAILED" } else { "ok" };
            writeln!(f, "{result}: fail on {}: {}", gate.text, gate.outcome)?;
        }
        Ok(())
    }
}
