//! Checks that several sections share: a range, a secret from the configuration or from a file.

use std::{fmt::Display, path::Path};

use switchboard_protocol::Secret;

use super::error::ConfigError;

/// Checks that `value` is from `min` to `max`.
pub(super) fn in_range<T: PartialOrd + Display>(
    key: &str,
    value: T,
    min: T,
    max: T,
) -> Result<(), ConfigError> {
    // Written so that NaN is in no range.
    if !(value >= min && value <= max) {
        let problem = format!("is {value}; it must be from {min} to {max}");
        return Err(ConfigError::new(key, problem));
    }
    Ok(())
}

/// A secret from the configuration or from a file. Setting both is an error.
pub(super) fn secret(key: &str, value: &Secret, file: Option<&Path>) -> Result<Option<Secret>, ConfigError> {
    match (value.is_empty(), file) {
        (true, None) => Ok(None),
        (false, None) => Ok(Some(value.clone())),
        (false, Some(_)) => {
            let problem = format!("set either {key} or {key}_file, not both");
            Err(ConfigError::new(key, problem))
        }
        (true, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                let problem = format!("{} cannot be read: {error}", path.display());
                ConfigError::new(format!("{key}_file"), problem)
            })?;
            Ok(Some(Secret::new(text.trim_end_matches(['\n', '\r']))))
        }
    }
}
