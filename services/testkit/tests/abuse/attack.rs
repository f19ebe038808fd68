//! One attack: its name, the configuration that it is made for, and the function that makes it.

use futures_util::future::LocalBoxFuture;

use crate::scene::Scene;

/// One attack.
pub(crate) struct Attack {
    /// For the command line.
    pub(crate) name: &'static str,
    /// What the attacker does, as a sentence.
    pub(crate) title: &'static str,
    /// What happened before version 0.2 held it, measured on a release build.
    pub(crate) before: &'static str,
    /// What a node does about it.
    pub(crate) rule: &'static str,
    /// Whether `cargo test` runs it.
    pub(crate) is_quick: bool,
    /// TOML sections of the nodes. `{certificate}` becomes the two keys of a section of TLS. The nodes get their defaults if the node refuses these.
    pub(crate) config: &'static str,
    /// Makes the attack, and returns when it is over.
    pub(crate) run: fn(Scene) -> LocalBoxFuture<'static, anyhow::Result<Findings>>,
}

/// What the attacker saw.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What it got, for the reader.
    pub(crate) notes: Vec<String>,
    /// What it should not have got.
    pub(crate) violations: Vec<String>,
}

impl Findings {
    /// Findings with one note.
    pub(crate) fn of(note: impl Into<String>) -> Self {
        let mut findings = Self::default();
        findings.note(note);
        findings
    }

    /// Adds a note.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a violation unless `is_right`.
    pub(crate) fn check(&mut self, is_right: bool, otherwise: impl Into<String>) {
        if !is_right {
            self.violations.push(otherwise.into());
        }
    }
}
