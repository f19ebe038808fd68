//! Programs that tests need but this workspace does not build: where they are, which version they are, and what
//! happens where one is missing.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{process::Command, time::timeout};

/// How long a program may take to say its version.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The longest version that is believed, in bytes.
const MAX_VERSION_BYTES: usize = 64;

/// A program on PATH.
///
/// # Errors
/// When there is none, with the fix.
pub fn find_program(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut programs = env::split_paths(&path).map(|folder| folder.join(name));
    let found = programs.find(|program| program.is_file());
    found.with_context(|| format!("{name} is not on PATH; run scripts/setup"))
}

/// The version that `program` answers to `argument`, for example `7.0.15`.
///
/// # Errors
/// When it cannot be run, does not answer in time, or names no version.
pub async fn program_version(program: &Path, argument: &str) -> anyhow::Result<String> {
    let name = program.display();
    let output = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(ANSWER_WITHIN, output).await;
    let output = output.with_context(|| format!("{name} {argument} does not end"))?;
    let output = output.with_context(|| format!("{name} cannot be run; run scripts/setup"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    version_in(&text).with_context(|| format!("{name} {argument} names no version: {text}"))
}

/// The first word that is a version: `Redis server v=7.0.15 …`, `switchboard 0.1.0`.
fn version_in(text: &str) -> Option<String> {
    let words = text.split_whitespace();
    let versions = words.map(|word| word.trim_start_matches("v=").trim_start_matches('v'));
    let is_version = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.contains('.')
            && word.len() <= MAX_VERSION_BYTES
    };
    versions.into_iter().find(is_version).map(str::to_owned)
}

/// What a test does without a part it needs: `None`, with the reason printed, so that the test ends early.
///
/// # Panics
/// In CI (`CI=true`), where nothing may be skipped.
#[must_use]
pub fn or_skip<T>(part: anyhow::Result<T>) -> Option<T> {
    let missing = match part {
        Ok(part) => return Some(part),
        Err(error) => format!("{error:#}"),
    };
    assert!(env::var("CI").as_deref() != Ok("true"), "{missing}");
    println!("skipped: {missing}");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_the_words_of_programs() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        assert_eq!(version_in(redis).as_deref(), Some("7.0.15"));
        assert_eq!(version_in("switchboard 0.1.0\n").as_deref(), Some("0.1.0"));
        assert_eq!(
            version_in("centrifugo v5.4.1 (Go version: go1.22)").as_deref(),
            Some("5.4.1")
        );
        assert_eq!(version_in("usage: 1 or 2"), None);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = program_version(Path::new("no-such-program"), "--version").await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no-such-program cannot be run"), "{error}");
        assert!(find_program("no-such-program").is_err());
    }
}
