//! No channel without a bound, and no task without an owner: somebody holds its handle, or waits for its tracker, or
//! a comment `Owner:` says who ends it. Tests, tools and the code of tests are free.

use std::{collections::BTreeSet, path::Path};

use crate::{files_in, root, shown, source};

/// Each file of a node, the client and the load generator, with its code.
fn sources() -> impl Iterator<Item = (String, String, String)> {
    let folders = [root().join("services"), root().join("loadtest")];
    let is_source = |path: &Path| path.components().any(|part| part.as_os_str() == "src");
    let files = folders.into_iter().flat_map(|folder| files_in(&folder, &[".rs"]));
    files
        .filter(move |path| is_source(path) && !path.ends_with("tests.rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = source::without_tests(&source::code(&text));
            (shown(&path), text, code)
        })
}

#[test]
fn no_channel_is_without_a_bound() {
    for (path, _, code) in sources() {
        for word in [
            "unbounded_channel",
            "UnboundedSender",
            "mpsc::unbounded",
            "mpsc::channel()",
            "SegQueue",
        ] {
            assert!(
                !code.contains(word),
                "{path} has a channel without a bound: {word}"
            );
        }
    }
}

#[test]
fn no_task_is_without_an_owner() {
    let mut violations = Vec::new();
    let mut tasks = 0;
    for (path, text, code) in sources() {
        tasks += starts(&code).count();
        for at in starts(&code).filter(|at| is_dropped(&code, *at) && !names_an_owner(&text, *at)) {
            violations.push(format!("{path}:{}", source::line_of(&code, at)));
        }
    }
    assert!(tasks > 10, "the check finds the tasks");
    assert!(
        violations.is_empty(),
        "nobody holds the handles of these tasks: {violations:#?}"
    );
}

/// Packages whose trackers nobody waits for, with the reason. Each entry must be needed.
const NOT_WAITED_FOR: [(&str, &str); 1] = [(
    "services/edge",
    "the tasks end with their connections, and a drain waits for those; the deadline ends the process",
)];

#[test]
fn each_tracker_of_tasks_is_waited_for() {
    let all: Vec<_> = sources().collect();
    let package = |path: &str| path.split("/src/").next().unwrap().to_owned();
    let with = |text: &str| -> BTreeSet<String> {
        all.iter()
            .filter(|(_, _, code)| code.contains(text))
            .map(|(path, ..)| package(path))
            .collect()
    };
    let forgotten: Vec<_> = with("TaskTracker::new()")
        .difference(&with(".wait()"))
        .cloned()
        .collect();
    assert_eq!(
        forgotten,
        NOT_WAITED_FOR.map(|(package, _)| package),
        "these make a TaskTracker and wait for none"
    );
}

/// Where a task or thread is started that does not belong to the tracker or set it is called on.
fn starts(code: &str) -> impl Iterator<Item = usize> {
    const CALLS: [&str; 5] = [
        "tokio::spawn(",
        "task::spawn(",
        "spawn_blocking(",
        "spawn_local(",
        "thread::spawn(",
    ];
    CALLS
        .into_iter()
        .flat_map(move |call| code.match_indices(call).map(|(at, _)| at))
        .filter(|at| {
            // `tokio::task::spawn(` begins at `tokio`, and `fn spawn_blocking(` starts nothing.
            !code[..*at].trim_end().ends_with("fn")
        })
}

/// Whether the expression around `at` is a statement of its own, or goes into `_` or `drop`.
fn is_dropped(code: &str, at: usize) -> bool {
    let statement = code[..at]
        .rfind([';', '{', '}', '\n'])
        .map_or(0, |before| before + 1);
    // A line break ends the search only if the line before ended something.
    let mut start = statement;
    while start > 0 && code[..start].ends_with('\n') {
        let before = code[..start].trim_end();
        if before.is_empty() || before.ends_with([';', '{', '}', ',', '>']) {
            break;
        }
        start = code[..before.len()]
            .rfind([';', '{', '}', '\n'])
            .map_or(0, |before| before + 1);
    }
    let prefix: String = code[start..at].split_whitespace().collect();
    let is_plain = prefix.is_empty() || prefix == "tokio::" || prefix == "std::" || prefix == "std::thread::";
    let is_thrown_away = prefix.starts_with("let_=") || prefix.starts_with("drop(");
    (is_thrown_away && !is_awaited(code, at)) || (is_plain && after_call(code, at).starts_with(';'))
}

fn is_awaited(code: &str, at: usize) -> bool {
    after_call(code, at).starts_with(".await")
}

/// What stands behind the call at `at`.
fn after_call(code: &str, at: usize) -> &str {
    let mut depth = 0_usize;
    for (offset, symbol) in code[at..].char_indices() {
        match symbol {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return code[at + offset + 1..].trim_start();
                }
            }
            _ => {}
        }
    }
    ""
}

/// Whether the comment above the statement, or in its line, names the owner.
fn names_an_owner(text: &str, at: usize) -> bool {
    let line_end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let line = text[..line_end].lines().next_back().unwrap_or("");
    let above = text[..at]
        .lines()
        .rev()
        .skip(1)
        .take_while(|line| line.trim_start().starts_with("//"));
    line.contains("// Owner:") || above.into_iter().any(|line| line.contains("// Owner:"))
}

#[test]
fn handles_that_are_held_differ_from_dropped_ones() {
    let dropped = [
        "fn f() { tokio::spawn(a()); }",
        "let _ = tokio::spawn(a());",
        "drop(tokio::task::spawn(a()));",
        "x();\n    tokio::spawn(async move {\n  a();\n  b()\n});",
        "std::thread::spawn(|| a());",
    ];
    let held = [
        "let task = tokio::spawn(a());",
        "Self { task: tokio::spawn(a()) }",
        "fn f() -> H { tokio::spawn(a()) }",
        "let task =\n    tokio::spawn(a());",
        "AbortOnDropHandle::new(\n    tokio::spawn(a()),\n);",
        "tokio::spawn(a()).await;",
        "let _ = tokio::spawn(a()).await;",
    ];
    for (code, expected) in dropped
        .map(|code| (code, true))
        .into_iter()
        .chain(held.map(|code| (code, false)))
    {
        let found = starts(code).any(|at| is_dropped(code, at));
        assert_eq!(found, expected, "{code}");
    }
}
