//! The commit that `switchboard --version` names. `SWITCHBOARD_COMMIT` gives it where the sources have no `.git`.

use std::{path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-env-changed=SWITCHBOARD_COMMIT");
    if std::env::var_os("SWITCHBOARD_COMMIT").is_some() {
        return;
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        println!("cargo:rustc-env=SWITCHBOARD_COMMIT={commit}");
    }
    // Each commit and checkout adds a line. A path that is not there would run this at every build.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]);
    let watched = log.filter(|path| Path::new(path).exists());
    println!(
        "cargo:rerun-if-changed={}",
        watched.as_deref().unwrap_or("build.rs")
    );
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
