//! The user's own command as a fault: without a shell, bounded in time and in what is kept of its words.

use std::{process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
};

/// How long a command may take.
const MOST_TIME: Duration = Duration::from_secs(60);

/// How long its last words may take once it has ended.
const WORDS_WITHIN: Duration = Duration::from_secs(1);

/// How much of its standard error is told when it fails, in bytes.
const MOST_WORDS: usize = 1_000;

/// Runs `command`; its standard output is thrown away.
///
/// # Errors
/// When it cannot be started, fails, or takes longer than a minute; it is killed then.
pub(super) async fn run(command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("`command` is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("`{program}` cannot be started"))?;
    let words = tokio::spawn(first_words(child.stderr.take()));
    let finish = async {
        let status = child.wait().await?;
        // A program that it leaves running may keep the pipe open.
        let words = match tokio::time::timeout(WORDS_WITHIN, words).await {
            Ok(words) => words?,
            Err(_) => String::new(),
        };
        let words = words.trim();
        anyhow::ensure!(
            status.success(),
            "`{program}` ended with {status}{}{words}",
            if words.is_empty() { "" } else { ": " }
        );
        Ok(())
    };
    tokio::time::timeout(MOST_TIME, finish)
        .await
        .with_context(|| format!("`{program}` took longer than {MOST_TIME:?} and was killed"))?
}

/// The beginning of what it says; the rest is read and forgotten, so that it never waits for a reader.
async fn first_words(from: Option<impl AsyncRead + Unpin>) -> String {
    let (mut kept, mut chunk) = (Vec::new(), [0; 1024]);
    let Some(mut from) = from else {
        return String::new();
    };
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let room = MOST_WORDS - kept.len();
        kept.extend_from_slice(&chunk[..count.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(words: &[&str]) -> String {
        let command: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let outcome = run(&command).await;
        outcome.map_or_else(|error| format!("{error:#}"), |()| "ok".to_owned())
    }

    #[tokio::test]
    async fn a_failing_command_is_told_with_its_words() {
        assert_eq!(outcome(&["true"]).await, "ok");
        let error = outcome(&["ls", "--no-such-option"]).await;
        assert!(error.contains("`ls` ended with exit status"), "{error}");
        assert!(error.contains("no-such-option"), "{error}");
        let error = outcome(&["no-such-program"]).await;
        assert!(error.contains("`no-such-program` cannot be started"), "{error}");
    }

    #[tokio::test]
    async fn there_is_no_shell() {
        assert_eq!(outcome(&["test", "$HOME", "=", "$HOME"]).await, "ok");
        assert!(
            outcome(&["test", "$HOME", "=", &std::env::var("HOME").unwrap()])
                .await
                .contains("exit status")
        );
    }
}
