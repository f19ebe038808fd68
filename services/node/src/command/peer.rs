//! What the commands that connect as a peer share: the token, and the advice after a close.

use std::path::Path;

use anyhow::Context as _;
use switchboard_client::{ClientError, Trust};
use switchboard_protocol::{ClientShould, CloseCode, Secret};

use crate::cli::Connect;

/// The token of the command line, the environment or a file.
pub(super) fn token(connect: &Connect) -> anyhow::Result<Secret> {
    match (&connect.token, connect.token_file.as_deref()) {
        (Some(token), _) => Ok(Secret::new(token.trim())),
        (None, Some(file)) => token_from_file(file),
        (None, None) => {
            anyhow::bail!("a token is needed: --token-file, or SWITCHBOARD_TOKEN in the environment")
        }
    }
}

/// Whom the command trusts behind `wss://`.
pub(super) fn trust(connect: &Connect) -> anyhow::Result<Trust> {
    let trust = connect.ca_file.as_deref().map(Trust::with_ca_file).transpose();
    Ok(trust.context("--ca-file")?.unwrap_or_default())
}

pub(super) fn token_from_file(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Secret::new(text.trim()))
}

/// Adds the advice to an error.
pub(super) fn with_advice(error: ClientError) -> anyhow::Error {
    let advice = match &error {
        ClientError::Closed { code, .. } => advice(*code),
        ClientError::Timeout
        | ClientError::BufferFull(_)
        | ClientError::Frame(_)
        | ClientError::WebSocket(_) => "",
    };
    anyhow::Error::new(error).context(format!("disconnected{advice}"))
}

/// What to do after a close with `code`, as the end of a sentence; empty without advice.
pub(super) fn advice(code: u16) -> &'static str {
    match CloseCode::from_code(code).map(CloseCode::client_should) {
        Some(ClientShould::Stop) => "; the session is over",
        Some(ClientShould::StopAndFix) => "; correct that before you try again",
        Some(ClientShould::Resume | ClientShould::ResumeAtOnce) => "; try again",
        Some(ClientShould::RenewToken) => "; get a new token (switchboard token mint)",
        None => "",
    }
}
