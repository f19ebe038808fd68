//! A comparison as a table, for a terminal or in Markdown.

use std::fmt;

use switchboard_harness::stats::range;

use super::{Comparison, Difference, Row, SIGNIFICANT, Side};

const HEAD: [&str; 5] = ["figure", "a: median [range]", "b: median [range]", "b/a", "b is"];

impl Comparison {
    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let [a, b] = &self.heads;
        let mut lines = vec![format!("- a: {a}"), format!("- b: {b}"), String::new()];
        lines.extend(
            self.warnings
                .iter()
                .map(|warning| format!("> **Warning:** {warning}\n")),
        );
        lines.push(format!("| {} |", HEAD.join(" | ")));
        lines.push("| --- | --- | --- | ---: | --- |".into());
        lines.extend(
            self.rows
                .iter()
                .map(|row| format!("| {} |", row.cells().join(" | "))),
        );
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
            Self::TooFew => f.write_str("too few runs"),
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
        for [name, a, b, by, difference] in &rows {
            writeln!(
                f,
                "{name:figure$}  {a:of_a$}  {b:of_b$}  {by:>ratio$}  {difference}"
            )?;
        }
        writeln!(
            f,
            "\nsame: chance alone makes such a difference in more than {:.0} % of all cases (Mann-Whitney, two-sided)",
            SIGNIFICANT * 100.0
        )?;
        for gate in &self.gates {
            let result = if gate.is_failed { "FAILED" } else { "ok" };
            writeln!(f, "{result}: fail on {}: {}", gate.text, gate.outcome)?;
        }
        Ok(())
    }
}
