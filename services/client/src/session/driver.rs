//! The run of a session's task: without a connection, with one, and so on until the end.

use std::time::Duration;

use super::{
    reconnect::Reconnect,
    task::{Interruption, Task},
};

/// Runs until the session ends.
pub(super) async fn run(mut task: Task) {
    let mut interruption = Interruption {
        reconnect: Reconnect::after(Duration::ZERO),
        unreported_loss: None,
    };
    let end = loop {
        let connection = match task.run_connecting(interruption).await {
            Ok(connection) => connection,
            Err(end) => break end,
        };
        match task.run_connected(connection).await {
            Ok(next) => interruption = next,
            Err(end) => break end,
        }
    };
    task.end(end).await;
}
