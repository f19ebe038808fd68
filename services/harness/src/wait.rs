//! Waiting for a condition with a deadline: the only way in which tests wait for other processes.

use std::time::{Duration, Instant};

/// Far longer than anything in a test takes. A test that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The time between two checks of a condition.
const CHECK_EVERY: Duration = Duration::from_millis(5);

/// Waits until `condition` returns a value. Returns the value and how long that took.
///
/// # Errors
/// When there is none within `deadline`; the message names `what` was waited for.
pub async fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<(T, Duration)> {
    let wait = Wait::new(what, deadline);
    loop {
        if let Some(value) = condition().await {
            return Ok((value, wait.start.elapsed()));
        }
        wait.pause("").await?;
    }
}

/// The same as a loop of the caller's: futures of [`wait_until`] are not `Send` for every closure.
pub(crate) struct Wait<'a> {
    what: &'a str,
    start: Instant,
    deadline: Duration,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(what: &'a str, deadline: Duration) -> Self {
        let start = Instant::now();
        Self {
            what,
            start,
            deadline,
        }
    }

    /// Returns when it is time for the next check; fails when the deadline has passed. `state` is what the last check
    /// saw, in words.
    pub(crate) async fn pause(&self, state: &str) -> anyhow::Result<()> {
        if self.start.elapsed() >= self.deadline {
            let separator = if state.is_empty() { "" } else { "; last: " };
            anyhow::bail!("{}: not within {:?}{separator}{state}", self.what, self.deadline);
        }
        tokio::time::sleep(CHECK_EVERY).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missed_deadline_names_what_was_waited_for_and_the_last_state() {
        let never = async || None::<()>;
        let error = wait_until("bob hears", Duration::from_millis(20), never).await;
        assert_eq!(error.unwrap_err().to_string(), "bob hears: not within 20ms");
        let error = Wait::new("n1 serves", Duration::ZERO).pause("503").await;
        assert_eq!(
            error.unwrap_err().to_string(),
            "n1 serves: not within 0ns; last: 503"
        );
    }
}
