//! Why webhooks cannot be served.

use std::path::PathBuf;

use crate::signature::SecretError;

/// The longest name of an endpoint, in characters.
pub(crate) const MAX_NAME: usize = 32;

/// Why webhooks cannot be served, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WebhooksError(pub(crate) String);

/// No endpoint has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no endpoint has this name")]
pub struct UnknownEndpoint;

/// Why an endpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Its name.
    #[error("the name `{0}` is not 1 to {MAX_NAME} characters of a-z 0-9 -")]
    Name(String),
    /// Its URL. It is not shown: a query may be a secret.
    #[error("the URL {0}")]
    Url(String),
    /// One of its secrets.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A file of secrets.
    #[error("{} cannot be read: {problem}", path.display())]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// Too few or too many.
    #[error("it has {0} secrets; 1 to 4 are needed: set secret_files")]
    Secrets(usize),
}
