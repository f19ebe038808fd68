//! Each source file is short and says in its first line what it is.

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
    for path in files_in(&root(), &[".rs", ".py", ".js", ".mjs", ".lua"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = match text.strip_prefix("#!") {
            Some(text) => text.split_once('\n').unwrap_or_default().1,
            None => &text,
        };
        let start = match path.extension().unwrap().to_str().unwrap() {
            "rs" => "//!",
            "py" => "\"\"\"",
            "lua" => "--",
            _ => "/",
        };
        let words = text
            .strip_prefix(start)
            .and_then(|text| text.lines().next())
            .unwrap_or("")
            .split_whitespace()
            .count();
        assert!(
            words >= 3,
            "{} does not say in its first line what it is",
            shown(&path)
        );
    }
}
