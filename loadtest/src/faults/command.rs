//! A command of the user's as a fault: without a shell, bounded in time and in the output that is kept.

use std::{process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    time::timeout,
};

/// How long a command may take.
const MAX_TIME: Duration = Duration::from_secs(60);

/// How long its standard error may stay open once it has ended.
const STDERR_TIME: Duration = Duration::from_secs(1);

/// How much of its standard error is reported when it fails, in bytes.
const MAX_STDERR: usize = 1_000;

/// Runs `command`; its standard output is discarded.
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
    let errors = tokio::spawn(beginning(child.stderr.take()));
    let finish = async {
        let status = child.wait().await?;
        // A program that it leaves running may keep the pipe open.
        let errors = timeout(STDERR_TIME, errors)
            .await
            .unwrap_or_else(|_| Ok(String::new()))?;
        let colon = if errors.is_empty() { "" } else { ": " };
        anyhow::ensure!(status.success(), "`{program}` ended with {status}{colon}{errors}");
        Ok(())
    };
    let finished = timeout(MAX_TIME, finish).await;
    finished.with_context(|| format!("`{program}` took longer than {MAX_TIME:?} and was killed"))?
}

/// The beginning of its output. The rest is read and dropped, because the program must not wait for a reader.
async fn beginning(from: Option<impl AsyncRead + Unpin>) -> String {
    let (mut kept, mut chunk) = (Vec::new(), [0; 1024]);
    let Some(mut from) = from else {
        return String::new();
    };
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let room = MAX_STDERR - kept.len();
        kept.extend_from_slice(&chunk[..count.min(room)]);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failing_command_is_reported_with_its_errors_and_there_is_no_shell() {
        let home = std::env::var("HOME").unwrap();
        for (command, expected) in [
            (vec!["true"], "ok"),
            (vec!["ls", "--no-such-option"], "`ls` ended with exit status"),
            (vec!["ls", "--no-such-option"], "no-such-option"),
            (vec!["no-such-program"], "`no-such-program` cannot be started"),
            (vec!["test", "$HOME", "=", "$HOME"], "ok"),
            (vec!["test", "$HOME", "=", home.as_str()], "exit status"),
        ] {
            let command: Vec<_> = command.into_iter().map(str::to_owned).collect();
            let outcome = run(&command)
                .await
                .map_or_else(|error| format!("{error:#}"), |()| "ok".to_owned());
            assert!(outcome.contains(expected), "{command:?}: {outcome}");
        }
    }
}
