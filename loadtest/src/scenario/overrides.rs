//! A scenario from its text and the command line's `--set` words: `streams.pairs=10`, `calls.stages.0.rate=5`,
//! `calls.stages=[{rate=5,for="3s"}]`. Whether it makes sense is for `check`.

use std::collections::BTreeSet;

use anyhow::{anyhow, bail};
use toml::{Table, Value};

use super::{
    Scenario,
    mistakes::{Read, read},
};

/// Overrides of one run.
const MAX_OVERRIDES: usize = 1_000;

/// Reads it as far as possible: the text by itself, then each override, which replaces or adds one value. The second
/// part has all mistakes: those of the text (with line and key), and overrides that are malformed or name an unknown key.
/// The third part has the keys that were left out.
pub(super) fn load_all(
    text: &str,
    overrides: &[String],
) -> (Option<Scenario>, Vec<String>, BTreeSet<String>) {
    let Read {
        scenario,
        mut mistakes,
        left_out,
    } = read(text);
    let Some((mut scenario, mut table)) = scenario else {
        return (None, mistakes, left_out);
    };
    if overrides.len() > MAX_OVERRIDES {
        let count = overrides.len();
        mistakes.push(format!("{count} overrides are too many; write a scenario file"));
    }
    for set in overrides.iter().take(MAX_OVERRIDES) {
        let mut changed = table.clone();
        match apply(&mut changed, set) {
            Ok(next) => (scenario, table) = (next, changed),
            Err(error) => mistakes.push(format!("--set {set}: {error:#}")),
        }
    }
    (Some(scenario), mistakes, left_out)
}

/// Reads a scenario that must have no mistakes.
///
/// # Errors
/// All mistakes, a line each.
pub(crate) fn load(text: &str, overrides: &[String]) -> anyhow::Result<Scenario> {
    match load_all(text, overrides) {
        (Some(scenario), mistakes, _) if mistakes.is_empty() => Ok(scenario),
        (_, mistakes, _) => bail!(mistakes.join("\n")),
    }
}

fn apply(table: &mut Table, set: &str) -> anyhow::Result<Scenario> {
    let (path, text) = set
        .split_once('=')
        .ok_or_else(|| anyhow!("has no `=`; say for example streams.pairs=10"))?;
    put(table, path.trim(), value(text.trim())?)?;
    table
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| anyhow!("{}", error.to_string().trim()))
}

/// A TOML value; a bare word is a string, so that a shell's user need not quote twice.
fn value(text: &str) -> anyhow::Result<Value> {
    match text.parse() {
        Err(error) if text.starts_with(['[', '{', '"', '\'']) => {
            let error: toml::de::Error = error;
            bail!("`{text}` is no TOML value: {}", error.message())
        }
        Err(_) => Ok(Value::String(text.to_owned())),
        Ok(value) => Ok(value),
    }
}

/// Puts `value` at the dotted path; a number in it is a place in an array.
fn put(table: &mut Table, path: &str, value: Value) -> anyhow::Result<()> {
    let (parents, key) = match path.rsplit_once('.') {
        Some((parents, key)) => (parents.split('.').collect(), key),
        None => (Vec::new(), path),
    };
    if path.split('.').any(|key| key.trim().is_empty()) {
        bail!("`{path}` has an empty key");
    }
    let Some((first, rest)) = parents.split_first() else {
        table.insert(key.to_owned(), value);
        return Ok(());
    };
    let empty = || Value::Table(Table::new());
    let mut at = table.entry((*first).to_owned()).or_insert_with(empty);
    for parent in rest {
        at = if let Value::Table(table) = at {
            table.entry((*parent).to_owned()).or_insert_with(empty)
        } else {
            place(at, parent)?
        };
    }
    if let Value::Table(table) = at {
        table.insert(key.to_owned(), value);
    } else {
        *place(at, key)? = value;
    }
    Ok(())
}

/// The item of an array.
fn place<'a>(value: &'a mut Value, key: &str) -> anyhow::Result<&'a mut Value> {
    let Value::Array(items) = value else {
        bail!("there is nothing in which `{key}` could be set");
    };
    let count = items.len();
    key.parse::<usize>()
        .ok()
        .and_then(|number| items.get_mut(number))
        .ok_or_else(|| anyhow!("`{key}` is no place in an array of {count}; say 0 for the first"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Placement, Span};

    fn with(sets: &[&str]) -> anyhow::Result<Scenario> {
        let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
        load(
            "name = \"x\"\n[calls]\nstages = [{ rate = 1, for = \"1s\" }]\n",
            &sets,
        )
    }

    #[test]
    fn overrides_replace_and_add_values_at_any_depth() {
        let scenario = with(&[
            "calls.stages=[{rate=5,for=\"3s\"}, {rate=6,for=\"4s\"}]",
            "calls.stages.1.to=9.5",
            "calls.placement=cross-node",
            "streams.pairs = 10",
            "idle.hold=1.5s",
            "about=two words",
        ])
        .unwrap();
        let calls = scenario.calls.unwrap();
        assert_eq!((calls.stages[0].rate, calls.stages[1].to), (5.0, Some(9.5)));
        assert_eq!(calls.placement, Placement::CrossNode);
        assert_eq!(scenario.streams.unwrap().pairs, 10);
        assert_eq!(scenario.idle.unwrap().hold, Span::from_millis(1500));
        assert_eq!(scenario.about, "two words");
    }

    #[test]
    fn a_wrong_override_is_named_with_the_known_keys() {
        for (set, words) in [
            ("calls.rat=5", ["`rat`", "stages"]),
            ("cals.talk=5s", ["`cals`", "calls"]),
            ("streams.pairs=many", ["many", "usize"]),
            ("calls.stages=[{rate=5", ["[{rate=5", "no TOML value"]),
            ("calls.stages.7.rate=5", ["`7`", "array of 1"]),
            ("name.x=5", ["`x`", "nothing"]),
            ("calls", ["no `=`", "streams.pairs=10"]),
            ("calls..talk=5s", ["calls..talk", "empty key"]),
            ("idle.hold=5", ["--set idle.hold=5", "string"]),
        ] {
            let error = format!("{:#}", with(&["calls.talk=1s", set]).unwrap_err());
            assert!(error.contains(set), "{error}");
            for word in words {
                assert!(error.contains(word), "{set}: {error}");
            }
        }
    }

    #[test]
    fn all_mistakes_of_a_file_and_of_overrides_come_at_once_with_line_key_and_fix() {
        let text = "name = 5\nrepeat = 2\n[calls]\ntalk = 5\nplacement = \"near\"\n\
            stages = [{ rate = \"many\", for = \"1s\" }, { rate = 1 }]\n[streams]\npairs = -1\n[idle]\nhold = \"ten\"\n";
        let (scenario, mistakes, _) = load_all(text, &[]);
        assert!(scenario.is_some(), "overrides and checks still see the rest");
        let expected = [
            ("line 1: name: ", "string"),
            ("line 2: repeat: ", "`repeats`"),
            ("line 4: calls.talk: ", "\"10s\""),
            ("line 5: calls.placement: ", "cross-node"),
            ("line 6: calls.stages.rate: ", "f64"),
            ("line 6: calls.stages: ", "missing field `for`"),
            ("line 8: streams.pairs: ", "usize"),
            ("line 10: idle.hold: ", "10s"),
        ];
        let has = |(key, fix): &(&str, &str)| {
            mistakes
                .iter()
                .any(|mistake| mistake.starts_with(key) && mistake.contains(fix))
        };
        assert!(
            expected.iter().all(has) && mistakes.len() == expected.len(),
            "{mistakes:#?}"
        );
        let (_, syntax, _) = load_all("name = x\n[calls\n", &[]);
        assert!(syntax.len() >= 2 && syntax[0].starts_with("line 1"), "{syntax:?}");
        let (scenario, sets, _) = load_all(
            "name = \"x\"",
            &["repeat=2".into(), "seed=7".into(), "calls".into()],
        );
        assert_eq!((sets.len(), scenario.unwrap().seed), (2, 7), "{sets:?}");
    }
}
