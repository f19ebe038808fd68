//! `switchboard listen` and `switchboard send`: a peer on the command line.

use crate::cli::{Listen, Send};

pub(super) fn listen(_: Listen) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}

pub(super) fn send(_: Send) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
