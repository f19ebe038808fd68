//! One real node for the tests of this crate: without Redis, on ports of its own.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and stops at the first surprise"
)]

use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use switchboard_auth::Minter;
use switchboard_harness::NodeProcess;
use switchboard_protocol::{Claims, Secret};
use tempfile::TempDir;

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token of `peer` that a [`Node`] accepts.
pub fn token(peer: &str) -> Secret {
    let claims = Claims {
        sub: peer.to_owned(),
        exp: u64::from(u32::MAX),
        ..Claims::default()
    };
    let minter = Minter::hs256(&Secret::new(SECRET)).unwrap();
    minter.mint(&claims, Some("switchboard")).unwrap()
}

pub struct Node {
    pub process: NodeProcess,
    pub folder: TempDir,
}

impl Node {
    /// With `more` in its configuration; started by `binary`.
    pub fn spawn_by(folder: TempDir, binary: &Path, more: &str) -> Self {
        let config = format!("[auth]\nhs256_secret = \"{SECRET}\"\n{more}");
        let process = NodeProcess::spawn_in(folder.path(), binary, "n1", &config).unwrap();
        Self { process, folder }
    }

    pub async fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_switchboard"));
        let node = Self::spawn_by(folder, &binary, more);
        node.process.wait_ready().await.unwrap();
        node
    }

    /// As [`Node::start`], under a limit of open files, as `ulimit` takes it.
    pub async fn start_with_files(limit: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("node");
        let binary = env!("CARGO_BIN_EXE_switchboard");
        let mut file = std::fs::File::create(&script).unwrap();
        writeln!(file, "#!/bin/sh\nulimit {limit}\nexec {binary} \"$@\"").unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o700))
            .unwrap();
        drop(file);
        let node = Self::spawn_by(folder, &script, more);
        node.process.wait_ready().await.unwrap();
        node
    }

    pub fn ops_port(&self) -> u16 {
        self.process
            .ops_url()
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// No bus.
pub const ALONE: &str = "[broker]\nkind = \"memory\"\n";
