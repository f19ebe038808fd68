//! Ctrl-C and SIGTERM: the first asks a run to end early with its report, the second ends it at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Waits for `doing`; the first signal cancels `stop`.
///
/// # Errors
/// As `doing`; or at the second signal.
pub(super) async fn until_second<T>(
    stop: &CancellationToken,
    doing: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let signals = async {
        while !stop.is_cancelled() {
            tokio::select! {
                _ = interrupt.recv() => stop.cancel(),
                _ = terminate.recv() => stop.cancel(),
            }
        }
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::select! {
        done = doing => done,
        () = signals => Err(anyhow::anyhow!("stopped at once by the user; nothing is written")),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[tokio::test]
    async fn the_first_signal_asks_for_an_early_end_and_the_second_ends_it_at_once() {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let stop = CancellationToken::new();
            let early = async {
                raise(signal)?;
                stop.cancelled().await;
                anyhow::Ok(7)
            };
            assert_eq!(until_second(&stop, early).await.unwrap(), 7);
            let stop = CancellationToken::new();
            let hanging = async {
                raise(signal)?;
                stop.cancelled().await;
                raise(signal)?;
                pending::<anyhow::Result<()>>().await
            };
            let error = until_second(&stop, hanging).await.unwrap_err().to_string();
            assert!(error.contains("at once"), "{error}");
        }
    }
}
