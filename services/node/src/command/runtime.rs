//! The runtime of all commands that connect or listen.

/// Runs `command` to its end, with one worker thread per core.
pub(super) fn run<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // The look-up of a name cannot be cancelled, and a process that must end does not wait for it.
    runtime.shutdown_background();
    outcome
}
