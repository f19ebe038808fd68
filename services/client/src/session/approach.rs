//! The way to the next connection: none yet, a wait, or an attempt under way. It survives being cancelled
//! in a `select!`, because its state stays here. Not the decision when to connect (`task`, `serve`).

use std::{pin::Pin, time::Duration};

use switchboard_protocol::Welcome;
use tokio::time::{Instant, sleep_until};

use crate::{Client, ConnectError, ConnectOptions, Handshake, connect::Socket};

/// A connection that the node has welcomed.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) welcome: Box<Welcome>,
    pub(super) handshake: Handshake,
    /// Without its query.
    pub(super) url: String,
    /// What the node was told that this client has.
    pub(super) seen: u64,
}

type Attempt = Pin<Box<dyn Future<Output = Result<Box<Opened>, ConnectError>> + Send>>;

/// The way to the next connection.
pub(super) enum Approach {
    /// No other connection is wanted.
    Idle,
    /// An attempt begins then.
    Waiting(Instant),
    /// An attempt is under way.
    Opening(Attempt),
}

/// What happened on the way. The approach is stale then and must be set anew.
#[derive(Debug)]
pub(super) enum Step {
    /// The wait is over.
    Open,
    /// The attempt ended.
    Opened(Result<Box<Opened>, ConnectError>),
}

impl Approach {
    /// After `wait`.
    pub(super) fn after(wait: Duration) -> Self {
        Self::Waiting(Instant::now() + wait)
    }

    /// An attempt with `options`. Nothing is done before it is stepped.
    pub(super) fn open(options: ConnectOptions) -> Self {
        Self::Opening(Box::pin(async move {
            let (socket, welcome, handshake) = Client::connect(&options).await?.into_parts();
            let seen = options.resume.map_or(0, |resume| resume.seen);
            let url = options.url;
            Ok(Box::new(Opened {
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

    pub(super) fn is_opening(&self) -> bool {
        matches!(self, Self::Opening(_))
    }

    /// Waits for the next step. May be cancelled.
    pub(super) async fn step(&mut self) -> Step {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Waiting(until) => {
                sleep_until(*until).await;
                Step::Open
            }
            Self::Opening(attempt) => Step::Opened(attempt.await),
        }
    }
}
