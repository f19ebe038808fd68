//! Printing the configuration: every key with its default and what it means, and the JSON schema. Not reading it (`load`).

use serde_json::{Map, Value};

use super::keys::Config;

/// Every key with its default, as TOML, each below its meaning. Keys without a default stand there as comments.
///
/// # Panics
/// Never: the defaults are plain values.
#[must_use]
#[expect(clippy::expect_used, reason = "the defaults are plain values, tested")]
pub fn default_toml() -> String {
    let toml = toml::to_string_pretty(&Config::default()).expect("defaults serialise");
    let schema = schema_value();
    let mut text = String::new();
    for section in toml.split("\n[") {
        let section = section.trim_start_matches('[').trim_end();
        let (name, lines) = section.split_once(']').unwrap_or((section, ""));
        let mut keys = keys(&schema, name);
        text += &format!("[{name}]\n");
        for line in lines.trim_start().lines() {
            let key = line.split(" =").next().unwrap_or_default();
            if let Some(about) = keys.remove(key) {
                text += &comment(&about);
            }
            text += &format!("{line}\n");
        }
        let values = keys.into_iter();
        for (key, about) in values.filter(|(_, about)| section_of(&schema, about).is_none()) {
            let value = match about["type"].as_str() {
                Some("array") => "[]",
                Some("object") => "{}",
                Some(_) | None => "\"\"",
            };
            text += &format!("{}# {key} = {value}\n", comment(&about));
        }
        text.push('\n');
    }
    text
}

fn comment(about: &Value) -> String {
    let about = about["description"].as_str().unwrap_or_default();
    about.lines().map(|line| format!("# {line}\n")).collect()
}

/// The keys of the section `name`, each with its schema; a section within another one has a dot in its name.
fn keys(schema: &Value, name: &str) -> Map<String, Value> {
    let mut found = schema;
    for part in name.split('.') {
        found = section_of(schema, &found["properties"][part]).unwrap_or(&Value::Null);
    }
    let keys = found["properties"].as_object();
    keys.cloned().unwrap_or_default()
}

/// The schema of the section that a key is, if it is one and no value.
fn section_of<'s>(schema: &'s Value, key: &Value) -> Option<&'s Value> {
    let reference = key["$ref"].as_str()?;
    let definition = &schema["$defs"][reference.rsplit('/').next()?];
    definition["properties"].is_object().then_some(definition)
}

fn schema_value() -> Value {
    schemars::schema_for!(Config).to_value()
}

/// The JSON schema of the configuration.
#[must_use]
pub fn schema() -> String {
    serde_json::to_string_pretty(&schema_value()).unwrap_or_default()
}

/// The default of `section.key` as TOML, for the message of a wrong value; `None` for a key that has none or that does
/// not exist.
pub(super) fn default_of(key: &str) -> Option<String> {
    let (section, name) = key.rsplit_once('.')?;
    let defaults = toml::Value::try_from(Config::default()).ok()?;
    let section = section
        .split('.')
        .try_fold(&defaults, |table, part| table.get(part))?;
    let value = section.get(name)?;
    Some(format!("{name} = {value}"))
}

/// The values that `section.key` can have, where they are a closed set.
pub(super) fn values_of(key: &str) -> Vec<String> {
    let schema = schema_value();
    let (section, name) = key.rsplit_once('.').unwrap_or_default();
    let reference = keys(&schema, section)[name]["$ref"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let definition = &schema["$defs"][reference.rsplit('/').next().unwrap_or_default()];
    let values = definition["oneOf"].as_array().into_iter().flatten();
    values
        .filter_map(|value| Some(format!("`{}`", value["const"].as_str()?)))
        .collect()
}

/// Every key, as `section.key`.
pub(super) fn all_keys() -> Vec<String> {
    let schema = schema_value();
    let mut found = Vec::new();
    let sections = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut sections: Vec<_> = sections.into_iter().map(|(name, _)| name).collect();
    while let Some(section) = sections.pop() {
        for (key, about) in keys(&schema, &section) {
            let name = format!("{section}.{key}");
            match section_of(&schema, &about) {
                Some(_) => sections.push(name),
                None => found.push(name),
            }
        }
    }
    found
}
