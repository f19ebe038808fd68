//! Configuration that cannot be used: the key, and what to do about it.

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
    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            problem: problem.into(),
        }
    }
}
