//! Waiting for a condition with a deadline: the only way in which the end-to-end tests wait.

use std::time::{Duration, Instant};

/// Far longer than anything in a test takes; whoever reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `condition` gives a value and says how long that took.
///
/// # Errors
/// When it gives none within `deadline`; the message names `what` was awaited.
pub async fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<(T, Duration)> {
    let start = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return Ok((found, start.elapsed()));
        }
        anyhow::ensure!(start.elapsed() < deadline, "{what}: not within {deadline:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
