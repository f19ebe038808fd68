//! Configuration that cannot be used: the key, and what to do about it.

use std::path::Path;

use super::variables::variable_of;

/// One key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// The key, as `section.key`.
    pub key: String,
    /// The problem, and how to correct it.
    pub problem: String,
}

impl ConfigError {
    /// Adds where the value stands: the variable, if there is one, or else the file.
    pub(crate) fn with_place(mut self, file: Option<&Path>) -> Self {
        let variable = variable_of(&self.key);
        let place = match file {
            _ if std::env::var_os(&variable).is_some() => variable,
            Some(file) => file.display().to_string(),
            None => return self,
        };
        self.problem = format!("{} (in {place})", self.problem);
        self
    }

    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
        }
    }
}
