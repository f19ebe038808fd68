//! What tests compare with pages under docs/ and renew there: whole documents, and figures of docs/counts.md. A figure that has
//! left its bar fails the test, with the old and the new one and the command that renews them. Not the measuring.
//!
//! The compiler decides on instructions and sizes, so a table names it. Another compiler has a wide bar.

use std::{fmt::Write as _, fs, process::Command};

use anyhow::Context as _;
use parking_lot::Mutex;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/counts.md");

/// Two tests of one process may renew their tables at the same time.
static RENEWAL: Mutex<()> = Mutex::new(());

/// The bar of figures that another compiler made.
const OTHER_COMPILERS: f64 = 0.2;

/// The committed text of a document under docs/.
///
/// # Errors
/// When there is no such file.
pub fn committed_document(file: &str) -> anyhow::Result<String> {
    fs::read_to_string(format!("{DOCS}/{file}")).with_context(|| format!("docs/{file}"))
}

/// Compares a document under docs/ with what it should be. With `UPDATE_DOCUMENTS` it becomes that.
///
/// # Errors
/// When the committed one is another; `command` renews it.
pub fn compare_document(file: &str, wanted: &str, command: &str) -> anyhow::Result<()> {
    if is_renewal() {
        fs::write(format!("{DOCS}/{file}"), wanted)?;
    }
    anyhow::ensure!(
        committed_document(file)? == wanted,
        "docs/{file} is another one; run UPDATE_DOCUMENTS=1 {command}"
    );
    Ok(())
}

fn is_renewal() -> bool {
    std::env::var_os("UPDATE_DOCUMENTS").is_some()
}

/// One table of the page.
#[derive(Debug)]
pub struct Committed {
    name: &'static str,
    /// The command that measures it.
    command: &'static str,
    compiler: String,
    rows: Vec<(String, Vec<f64>)>,
}

impl Committed {
    /// The table between `<!-- counts: NAME -->` and `<!-- /counts -->`.
    ///
    /// # Errors
    /// When the page has no such table, or it has no numbers.
    pub fn read(name: &'static str, command: &'static str) -> anyhow::Result<Self> {
        let page = fs::read_to_string(PAGE).context("docs/counts.md")?;
        let (_, table, _) = parts(&page, name)?;
        let mut lines = table.lines().map(cells);
        let compiler = lines.next().and_then(|cells| cells.into_iter().next());
        let rows = lines.skip(1).map(|cells| {
            let mut cells = cells.into_iter();
            let row = cells.next().unwrap_or_default();
            let figures = cells.map(|cell| cell.replace(',', "").parse());
            let figures = figures.collect::<Result<_, _>>();
            let figures = figures.with_context(|| format!("docs/counts.md, {row}: not numbers"))?;
            Ok((row, figures))
        });
        Ok(Self {
            name,
            command,
            compiler: compiler.unwrap_or_default(),
            rows: rows.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Compares with what was measured: no figure may be further than `bar` times its value from the committed one, in either
    /// direction. With `UPDATE_DOCUMENTS` the page gets the measured ones.
    ///
    /// # Errors
    /// The figures that have left their bars, or rows that are missing on one side.
    pub fn compare(&self, columns: &[&str], measured: &[(&str, Vec<f64>)], bar: f64) -> anyhow::Result<()> {
        let compiler = compiler();
        let table = render(&compiler, columns, measured);
        println!("{table}");
        if is_renewal() {
            let _one_at_a_time = RENEWAL.lock();
            let page = fs::read_to_string(PAGE)?;
            let (before, _, after) = parts(&page, self.name)?;
            return Ok(fs::write(PAGE, format!("{before}{table}{after}"))?);
        }
        let bar = if self.compiler == compiler {
            bar
        } else {
            OTHER_COMPILERS
        };
        let outside = self.outside(columns, measured, bar);
        anyhow::ensure!(
            outside.is_empty(),
            "docs/counts.md, made by {}, has other figures; the bar is {:.0} %:\n{outside}measured:\n{table}\
             where the change is wanted: UPDATE_DOCUMENTS=1 {}",
            self.compiler,
            bar * 100.0,
            self.command
        );
        Ok(())
    }

    /// A line for each figure outside of its bar.
    fn outside(&self, columns: &[&str], measured: &[(&str, Vec<f64>)], bar: f64) -> String {
        let mut lines = String::new();
        for (row, figures) in measured {
            let Some((_, old)) = self.rows.iter().find(|(name, _)| name == row) else {
                // Writing to a string never fails.
                let _ = writeln!(lines, "  {row}: not on the page");
                continue;
            };
            for ((column, new), old) in columns.iter().zip(figures).zip(old) {
                let allowed = (old * bar).max(0.005);
                if (new - old).abs() > allowed {
                    let change = (new / old - 1.0) * 100.0;
                    let _ = writeln!(
                        lines,
                        "  {row}, {column}: was {}, is {} ({change:+.1} %)",
                        shown(*old),
                        shown(*new)
                    );
                }
            }
        }
        for (row, _) in &self.rows {
            if !measured.iter().any(|(name, _)| name == row) {
                let _ = writeln!(lines, "  {row}: on the page, and not measured");
            }
        }
        lines
    }
}

/// `rustc 1.95.0`.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let words = text.unwrap_or_default();
    words.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// The page before the table, the table, and the rest.
fn parts<'a>(page: &'a str, name: &str) -> anyhow::Result<(&'a str, &'a str, &'a str)> {
    let begin = format!("<!-- counts: {name} -->\n");
    let start = page.find(&begin);
    let start = start.with_context(|| format!("docs/counts.md has no table {name}"))? + begin.len();
    let length = page[start..]
        .find("<!-- /counts -->")
        .context("the table has no end")?;
    Ok((
        &page[..start],
        &page[start..start + length],
        &page[start + length..],
    ))
}

fn cells(line: &str) -> Vec<String> {
    let cells = line.trim().trim_matches('|').split('|');
    cells.map(|cell| cell.trim().to_owned()).collect()
}

fn render(compiler: &str, columns: &[&str], rows: &[(&str, Vec<f64>)]) -> String {
    let mut table = format!("| {compiler} | {} |\n", columns.join(" | "));
    table.push_str(&format!("| --- |{}\n", " ---: |".repeat(columns.len())));
    for (name, figures) in rows {
        let figures: Vec<_> = figures.iter().map(|figure| shown(*figure)).collect();
        table.push_str(&format!("| {name} | {} |\n", figures.join(" | ")));
    }
    table
}

/// Whole numbers from 100 on, else two decimals where there are some: `12,345`, `7`, `7.25`.
fn shown(figure: f64) -> String {
    let text = format!("{figure:.2}");
    let text = if figure >= 100.0 {
        format!("{figure:.0}")
    } else {
        text.trim_end_matches(".00").to_owned()
    };
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), String::new()), |(whole, rest)| {
            (whole, format!(".{rest}"))
        });
    let digits: Vec<char> = whole.chars().collect();
    let groups: Vec<String> = digits
        .rchunks(3)
        .rev()
        .map(|group| group.iter().collect())
        .collect();
    groups.join(",") + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> Committed {
        Committed {
            name: "x",
            command: "x",
            compiler: String::new(),
            rows: vec![("a".into(), vec![1000.0, 2.0]), ("b".into(), vec![0.0, 1.0])],
        }
    }

    fn outside(a: [f64; 2], b: [f64; 2]) -> String {
        committed().outside(&["one", "two"], &[("a", a.into()), ("b", b.into())], 0.03)
    }

    #[test]
    fn figures_within_their_bars_pass_and_others_are_named_with_both_values() {
        assert_eq!(outside([1000.0, 2.0], [0.0, 1.0]), "");
        assert_eq!(outside([1030.0, 1.95], [0.0, 0.98]), "");
        assert_eq!(
            outside([1031.0, 2.0], [0.0, 1.0]),
            "  a, one: was 1,000, is 1,031 (+3.1 %)\n"
        );
        assert_eq!(
            outside([1000.0, 1.0], [0.0, 1.0]),
            "  a, two: was 2, is 1 (-50.0 %)\n",
            "less is a change too"
        );
        assert!(outside([1000.0, 2.0], [1.0, 1.0]).contains("b, one: was 0, is 1"));
    }

    #[test]
    fn a_row_on_one_side_only_is_named() {
        let lines = committed().outside(&["one"], &[("a", vec![1000.0]), ("c", vec![1.0])], 0.03);
        assert_eq!(
            lines,
            "  c: not on the page\n  b: on the page, and not measured\n"
        );
    }

    #[test]
    fn a_table_is_found_by_its_name() {
        let page =
            "text\n<!-- counts: a -->\n1\n<!-- /counts -->\n<!-- counts: b -->\n2\n<!-- /counts -->\nend";
        let (before, table, after) = parts(page, "b").unwrap();
        assert!(before.ends_with("b -->\n") && after.ends_with("end"));
        assert_eq!(table, "2\n");
        assert!(parts(page, "c").is_err());
    }

    #[test]
    fn numbers_are_shown_as_people_write_them() {
        assert_eq!(
            [12345.4, 7.0, 7.25, 0.0, 999.6].map(shown),
            ["12,345", "7", "7.25", "0", "1,000"]
        );
    }
}
