//! Reading configuration: a TOML file, then the environment. Also printing it: the defaults and the JSON schema.

use std::path::Path;

use config::{Environment, File, FileFormat};

use super::{error::ConfigError, keys::Config};

/// Keys that hold lists; the environment separates their entries with commas.
const LISTS: [&str; 5] = [
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
    parse(&text, std::env::vars().collect())
}

/// Reads TOML text and then the variables `SWITCHBOARD__SECTION__KEY` of `environment`.
///
/// # Errors
/// As [`load`].
pub fn parse(
    text: &str,
    environment: std::collections::HashMap<String, String>,
) -> Result<Config, ConfigError> {
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
    let key = named.or_else(|| problem.split('`').nth(1).map(str::to_owned));
    let key = key.unwrap_or_else(|| "configuration".into());
    ConfigError::new(key, problem)
}

/// Every key with its default, as TOML.
///
/// # Panics
/// Never: the defaults are plain values.
#[must_use]
#[expect(clippy::expect_used, reason = "the defaults are plain values, tested")]
pub fn default_toml() -> String {
    toml::to_string_pretty(&Config::default()).expect("defaults serialise")
}

/// The JSON schema of the configuration.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Config);
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
