//! The next connection of a session: not wanted, due later, or being attempted. The state is kept here, so
//! dropping a future of it in a `select!` loses nothing. Not here: when to connect (`connecting`, `connected`).

use std::{pin::Pin, time::Duration};

use switchboard_protocol::Welcome;
use tokio::time::{Instant, sleep_until};

use crate::{Client, ConnectError, ConnectOptions, Handshake, connect::Socket};

/// A connection on which the node has sent `welcome`.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) socket: Socket,
    pub(super) welcome: Box<Welcome>,
    pub(super) handshake: Handshake,
    /// Without its query, which holds secrets.
    pub(super) url: String,
    /// The `seen` that this client sent with its request.
    pub(super) seen: u64,
}

type Attempt = Pin<Box<dyn Future<Output = Result<Box<Established>, ConnectError>> + Send>>;

/// The next connection.
pub(super) enum Reconnect {
    /// No other connection is wanted.
    Idle,
    /// An attempt starts at this time.
    Waiting(Instant),
    /// An attempt is running.
    Connecting(Attempt),
}

/// What [`Reconnect::next_step`] waited for. The caller then sets a new state.
#[derive(Debug)]
pub(super) enum ReconnectStep {
    /// The wait is over.
    AttemptDue,
    /// The attempt ended.
    AttemptEnded(Result<Box<Established>, ConnectError>),
}

impl Reconnect {
    /// An attempt is due after `wait`.
    pub(super) fn after(wait: Duration) -> Self {
        Self::Waiting(Instant::now() + wait)
    }

    /// An attempt with `options`. It starts when it is first polled.
    pub(super) fn attempt(options: ConnectOptions) -> Self {
        Self::Connecting(Box::pin(async move {
            let (socket, welcome, handshake) = Client::connect(&options).await?.into_parts();
            let seen = options.resume.map_or(0, |resume| resume.seen);
            let url = options.url;
            Ok(Box::new(Established {
                socket,
                welcome,
                handshake,
                url,
                seen,
            }))
        }))
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self, Self::Connecting(_))
    }

    /// Waits for the next step. Cancel-safe.
    pub(super) async fn next_step(&mut self) -> ReconnectStep {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Waiting(until) => {
                sleep_until(*until).await;
                ReconnectStep::AttemptDue
            }
            Self::Connecting(attempt) => ReconnectStep::AttemptEnded(attempt.await),
        }
    }
}
