//! The machine, the kernel and the versions of a run.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio, time::Duration};

use tokio::process::Command;

use super::limits::{memory_kib, open_files_limits};
use crate::results::Environment;

/// How long a program may take to say its version.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// The variable that names the commit where there is no checkout.
const COMMIT: &str = "SWITCHBOARD_COMMIT";

/// The environment; `servers` are versions by program. Unknown values are `unknown` or 0.
pub(crate) async fn environment(servers: BTreeMap<String, String>) -> Environment {
    let unknown = || "unknown".to_owned();
    Environment {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: commit().await,
        cpu: fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| cpu_name(&text))
            .unwrap_or_else(unknown),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: memory_kib("MemTotal").unwrap_or_default() / 1024,
        kernel: kernel().unwrap_or_else(unknown),
        open_files_limit: open_files_limits().map_or(0, |(soft, _)| soft),
        servers,
        notes: Vec::new(),
    }
}

/// The commit in the variable, or that of the checkout one stands in.
async fn commit() -> Option<String> {
    if let Some(commit) = std::env::var(COMMIT).ok().filter(|commit| !commit.is_empty()) {
        return Some(commit);
    }
    let root = output(Command::new("git").args(["rev-parse", "--show-toplevel"])).await?;
    // Some other repository's commit would say nothing.
    let is_ours = Path::new(root.trim()).join("loadtest/Cargo.toml").is_file();
    let commit = output(Command::new("git").args(["rev-parse", "--short", "HEAD"])).await?;
    is_ours.then(|| commit.trim().to_owned())
}

async fn output(command: &mut Command) -> Option<String> {
    let command = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(ANSWER_TIME, command.output()).await;
    let output = output.ok()?.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn cpu_name(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    })
}

fn kernel() -> Option<String> {
    let part = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    Some(format!(
        "{} {}",
        part("ostype")?.trim(),
        part("osrelease")?.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_is_described() {
        let found = environment(BTreeMap::new()).await;
        let limits = [found.cores as u64, found.memory_mib, found.open_files_limit];
        assert!(limits.iter().all(|limit| *limit > 0), "{found:?}");
        assert!(found.kernel.starts_with("Linux "), "{found:?}");
    }
}
