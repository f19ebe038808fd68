//! The tables of the protocol as people see them, and places in them that counters rely on.

use switchboard_protocol::{
    CloseCode, ErrorCode, MAX_PATTERNS, MessageKind, Patterns, Secret, SendOutcome, nests_deeper_than,
};

#[test]
fn codes_and_kinds_show_what_stands_on_the_wire() {
    assert_eq!(
        CloseCode::Replaced.to_string(),
        "4409 (replaced by a newer connection of the same peer)"
    );
    assert_eq!(ErrorCode::QueueFull.to_string(), "queue-full");
    assert_eq!(MessageKind::Candidate.to_string(), "candidate");
}

#[test]
fn each_outcome_has_a_place_of_its_own() {
    let errors = ErrorCode::ALL.map(SendOutcome::Error);
    let places: Vec<usize> = [SendOutcome::Delivered, SendOutcome::Published]
        .into_iter()
        .chain(errors)
        .map(SendOutcome::index)
        .collect();
    assert_eq!(places, (0..SendOutcome::COUNT).collect::<Vec<_>>());
}

#[test]
fn patterns_show_what_they_allow() {
    assert_eq!(format!("{:?}", Patterns::any()), "[\"*\"]");
    let rules = Patterns::new(vec!["team-*".into()]).unwrap();
    assert_eq!(format!("{rules:?}"), "[\"team-*\"]");
    assert!(Patterns::new(vec!["x".into(); MAX_PATTERNS]).is_ok());
}

#[test]
fn a_star_takes_nothing_back_from_the_text_before_it() {
    let allows = |pattern: &str, name: &str| Patterns::new(vec![pattern.into()]).unwrap().allow(name);
    assert!(allows("*b", "ab") && allows("*b", "aab") && allows("a*b", "axxxb"));
    assert!(
        !allows("aa*ab", "aab"),
        "the star would have to take less than nothing"
    );
    assert!(!allows("ab", "abab") && !allows("", "a") && allows("", ""));
}

#[test]
fn an_empty_secret_differs_from_any_other() {
    assert!(Secret::default().is_empty());
    assert!(!Secret::new("x").is_empty());
}

#[test]
fn nesting_counts_the_deepest_place_and_not_the_brackets() {
    assert!(!nests_deeper_than(b"[[1],[2]]", 2));
    assert!(nests_deeper_than(b"[[1],[[2]]]", 2));
    assert!(nests_deeper_than(b"{\"a\":[", 1));
}

#[test]
fn a_backslash_counts_inside_of_strings_only() {
    assert!(!nests_deeper_than(br#"\"[[""#, 1), "the quote opens a string");
    assert!(
        !nests_deeper_than(br#""\"[[""#, 1),
        "the quote is part of the string"
    );
}
