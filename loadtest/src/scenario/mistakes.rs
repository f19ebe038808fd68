//! All mistakes of a scenario's text at once, each with its line and key: the value of a mistake is left out, and the rest
//! is read again. Whether the values make sense together is for `check`.

use std::{borrow::Cow, collections::BTreeSet};

use serde_path_to_error::Segment;
use toml::{
    Deserializer, Spanned, Table,
    de::{DeTable, DeValue, Error},
};

use super::Scenario;

/// Mistakes of one text that are listed.
const MAX_MISTAKES: usize = 100;

/// A text that was read as far as possible.
pub(super) struct Read {
    /// The scenario without the mistakes; `None` if nothing is left of it.
    pub(super) scenario: Option<(Scenario, Table)>,
    /// A sentence for each mistake.
    pub(super) mistakes: Vec<String>,
    /// The keys that were left out; for an item of an array, the key of the array.
    pub(super) left_out: BTreeSet<String>,
}

/// Reads a scenario.
pub(super) fn read(text: &str) -> Read {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<_> = errors.iter().map(|error| mistake(text, "", error)).collect();
    let mut left_out = BTreeSet::new();
    // After an error of syntax, the rest of the text may mean something else.
    while errors.is_empty() && mistakes.len() < MAX_MISTAKES {
        let error = match serde_path_to_error::deserialize(Deserializer::from(table.clone())) {
            Ok(scenario) => {
                let table: Option<Table> = serde::Deserialize::deserialize(Deserializer::from(table)).ok();
                // Only this form counts the items of an array.
                let again = table.map(|table| match serde_path_to_error::deserialize(table.clone()) {
                    Ok::<Scenario, _>(_) => Ok((scenario, table)),
                    Err(error) => Err(error),
                });
                if let Some(Err(error)) = &again {
                    let path: Vec<Segment> = error.path().iter().cloned().collect();
                    mistakes.push(mistake(text, &key(&path), error.inner()));
                }
                let scenario = again.and_then(Result::ok);
                return Read {
                    scenario,
                    mistakes: in_order(mistakes),
                    left_out,
                };
            }
            Err(error) => error,
        };
        let path: Vec<Segment> = error.path().iter().cloned().collect();
        let (key, error) = (key(&path), error.into_inner());
        // A key that was left out is missing now, which is no second mistake.
        let missing = error.message().strip_prefix("missing field `");
        let missing = missing.and_then(|rest| rest.split('`').next());
        if !missing.is_some_and(|field| left_out.contains(format!("{key}.{field}").trim_start_matches('.'))) {
            mistakes.push(mistake(text, &key, &error));
        }
        if missing == Some("name") {
            // The only key that a scenario must have: the rest is read with another one.
            let name = (Cow::from("name"), DeValue::String(Cow::from("unnamed")));
            table
                .get_mut()
                .insert(Spanned::new(0..0, name.0), Spanned::new(0..0, name.1));
        } else if !leave_out(&mut table, &path) {
            break;
        }
        left_out.insert(key);
    }
    Read {
        scenario: None,
        mistakes: in_order(mistakes),
        left_out,
    }
}

fn in_order(mut mistakes: Vec<(usize, String)>) -> Vec<String> {
    mistakes.sort_by_key(|(line, _)| *line);
    let sentence = |(line, text)| {
        if line == 0 {
            text
        } else {
            format!("line {line}: {text}")
        }
    };
    mistakes.into_iter().map(sentence).collect()
}

/// The line of a mistake (0: not known), and the text about it.
fn mistake(text: &str, key: &str, error: &Error) -> (usize, String) {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(0, |before| 1 + before.matches('\n').count());
    let message = error.message();
    let separator = if key.is_empty() { "" } else { ": " };
    (line, format!("{key}{separator}{message}"))
}

/// The path as `--set` has it, without places in arrays: these change while values are left out.
fn key(path: &[Segment]) -> String {
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(key.as_str()),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    });
    names.collect::<Vec<_>>().join(".")
}

/// Removes the value at the path; false if that is the whole text.
fn leave_out(table: &mut Spanned<DeTable<'_>>, path: &[Segment]) -> bool {
    let known = path
        .iter()
        .take_while(|segment| matches!(segment, Segment::Map { .. } | Segment::Seq { .. }));
    let path: Vec<&Segment> = known.collect();
    let Some((Segment::Map { key }, rest)) = path.split_first() else {
        return false;
    };
    let Some((last, parents)) = rest.split_last() else {
        return table.get_mut().remove(key.as_str()).is_some();
    };
    let mut at = table.get_mut().get_mut(key.as_str());
    for parent in parents {
        at = at.and_then(|value| match (value.get_mut(), parent) {
            (DeValue::Table(table), Segment::Map { key }) => table.get_mut(key.as_str()),
            (DeValue::Array(array), Segment::Seq { index }) => array.get_mut(*index),
            _ => None,
        });
    }
    match (at.map(Spanned::get_mut), last) {
        (Some(DeValue::Table(table)), Segment::Map { key }) => table.remove(key.as_str()).is_some(),
        (Some(DeValue::Array(array)), Segment::Seq { index }) => {
            let others = array.iter().enumerate().filter(|(place, _)| place != index);
            *array = others.map(|(_, value)| value.clone()).collect();
            true
        }
        _ => false,
    }
}
