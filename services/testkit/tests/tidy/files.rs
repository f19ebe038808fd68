//! Each source file is short and says at its top what it is.

use crate::{files_in, root, shown};

const MOST_LINES: usize = 500;

#[test]
fn files_are_short() {
    for path in files_in(&root(), &[".rs", ".js", ".mjs", ".ts", ".py", ".lua", ".sh"]) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= MOST_LINES,
            "{} has {lines} lines, {MOST_LINES} are allowed",
            shown(&path)
        );
    }
}

#[test]
fn files_say_what_they_are() {
    let mut silent = Vec::new();
    for path in files_in(&root(), &[".rs", ".py", ".js", ".mjs", ".lua"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let (starts, among): (&[&str], usize) = match path.extension().unwrap().to_str().unwrap() {
            "rs" => (&["//!"], 1),
            // Below `#!`.
            "py" => (&["\"\"\""], 2),
            "lua" => (&["--"], 1),
            // Below the imports.
            _ => (&["/**", "// ", "/*"], 15),
        };
        let lines = text.lines().take(among);
        let comments = lines.filter_map(|line| starts.iter().find_map(|start| line.strip_prefix(start)));
        let words = comments
            .map(|comment| comment.split_whitespace().count())
            .max()
            .unwrap_or(0);
        if words < 3 {
            silent.push(shown(&path));
        }
    }
    assert!(
        silent.is_empty(),
        "the first lines do not say what these are: {silent:#?}"
    );
}
