//! A scenario from its text and the command line's `--set` words: `streams.pairs=10`, `calls.stages.0.rate=5`,
//! `calls.stages=[{rate=5,for="3s"}]`. Whether it makes sense is for `check`.

use anyhow::{Context as _, anyhow, bail};
use toml::{Table, Value};

use super::Scenario;

/// Overrides of one run.
const MAX_OVERRIDES: usize = 1_000;

/// Reads it. The text must be a scenario by itself; each override then replaces or adds one value.
///
/// # Errors
/// When the text is no scenario (with line and key), or an override is malformed or names an unknown key.
pub(crate) fn load(text: &str, overrides: &[String]) -> anyhow::Result<Scenario> {
    if overrides.len() > MAX_OVERRIDES {
        bail!(
            "{} overrides are too many; write a scenario file",
            overrides.len()
        );
    }
    let mut scenario: Scenario = toml::from_str(text)?;
    let mut table: Table = toml::from_str(text)?;
    for set in overrides {
        // Each by itself, so that an error has a culprit.
        scenario = apply(&mut table, set).with_context(|| format!("--set {set}"))?;
    }
    Ok(scenario)
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
    fn a_wrong_file_is_shown_with_its_line() {
        let error = load("name = \"x\"\n[calls]\nrate = 5\n", &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 3") && error.contains("rate = 5"), "{error}");
    }
}
