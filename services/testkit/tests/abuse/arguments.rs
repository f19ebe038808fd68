//! The command line of the suite.

use std::path::PathBuf;

use clap::Parser;

use crate::attack::Attack;

/// Attacks a cluster of two nodes and shows what bystanders notice.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Run only attacks whose names contain one of these texts.
    names: Vec<String>,
    /// Run all attacks, not only the quick ones.
    #[arg(long)]
    all: bool,
    /// Print the names of the attacks and run none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Write the results to this page; a relative path starts at the root of the repository.
    #[arg(long)]
    pub(crate) page: Option<PathBuf>,
}

impl Arguments {
    /// Whether this attack runs.
    pub(crate) fn selects(&self, attack: &Attack) -> bool {
        if self.names.is_empty() {
            return attack.is_quick || self.all;
        }
        self.names.iter().any(|name| attack.name.contains(name))
    }
}
