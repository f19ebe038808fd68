//! Reading configuration: a TOML file, then the environment. Not what its values mean (`settings`).

use std::{collections::HashMap, path::Path};

use config::{Environment, File, FileFormat};

use super::{
    error::ConfigError,
    keys::Config,
    print::{default_of, values_of},
    settings::Settings,
    variables::{misspelt, variable_of},
};

/// Keys that hold lists; the environment separates their entries with commas.
const LISTS: [&str; 7] = [
    "auth.algorithms",
    "ops.allowed_hosts",
    "server.allowed_origins",
    "server.trusted_proxies",
    "broker.redis_urls",
    "ice.stun_urls",
    "ice.turn_urls",
];

/// Reads `file`, if there is one, and the environment.
///
/// # Errors
/// [`ConfigError`] when the file cannot be read, a key is unknown, or a value is of the wrong type.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    let text = match file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            ConfigError::new("--config", format!("{} cannot be read: {error}", path.display()))
        })?,
    };
    let environment: HashMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    for sentence in misspelt(environment.keys().map(String::as_str)) {
        eprintln!("switchboard: {sentence}");
    }
    parse(&text, environment)
}

/// Reads `file` and the environment, and checks all of it. An error names where the wrong value stands.
///
/// # Errors
/// [`ConfigError`] for the first key that cannot be used.
pub fn settings(file: Option<&Path>) -> Result<Settings, ConfigError> {
    load(file)
        .and_then(Settings::check)
        .map_err(|error| with_place(error, file))
}

/// Adds where the value stands: the variable, if there is one, or else the file.
fn with_place(error: ConfigError, file: Option<&Path>) -> ConfigError {
    let variable = variable_of(&error.key);
    let place = match file {
        _ if std::env::var_os(&variable).is_some() => variable,
        Some(file) => file.display().to_string(),
        None => return error,
    };
    ConfigError::new(error.key, format!("{} (in {place})", error.problem))
}

/// Reads TOML text and then the variables `SWITCHBOARD__SECTION__KEY` of `environment`.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, environment: HashMap<String, String>) -> Result<Config, ConfigError> {
    let mut variables = Environment::with_prefix("SWITCHBOARD")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .source(Some(environment));
    for list in LISTS {
        variables = variables.with_list_parse_key(list);
    }
    let merged = config::Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(variables)
        .build()
        .map_err(|error| from_library(&error))?;
    merged.try_deserialize().map_err(|error| from_library(&error))
}

/// The library names the key in its message; this takes it out of there where possible.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn from_library(error: &config::ConfigError) -> ConfigError {
    let problem = error.to_string();
    let named = match error {
        config::ConfigError::Type { key, .. } | config::ConfigError::At { key, .. } => key.clone(),
        // In all other messages the key is in backquotes, if it is there.
        _ => None,
    };
    let is_syntax = problem.starts_with("TOML parse error");
    let quoted = problem.split('`').nth(1).filter(|_| !is_syntax);
    let key = named.or_else(|| quoted.map(str::to_owned));
    let key = key.unwrap_or_else(|| "configuration".into());
    let hint = match default_of(&key) {
        Some(_) if problem.contains("variant constructor") => {
            format!(
                "has no such value in this version; it can be {}",
                values_of(&key).join(", ")
            )
        }
        Some(default) if problem.contains("socket address") => {
            format!("{problem}; write an IP address and a port: {default}")
        }
        Some(default) => format!("{problem}; its default is {default}"),
        None => problem,
    };
    ConfigError::new(key, hint)
}
