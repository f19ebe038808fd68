//! Verifying a newer token while the connection reads and writes on: the verifier may wait for a key server.
//! Not what follows from the outcome (`CommandGate`).

use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use switchboard_auth::Verifier;
use switchboard_core::CommandGate;
use switchboard_protocol::{Event, Grant};

/// The command's `id`, and the grant or the reason of the refusal.
pub(super) type RenewalOutcome = (Option<u64>, Result<Grant, String>);

/// At most one renewal at a time.
#[derive(Default)]
pub(super) struct Renewal(Option<BoxFuture<'static, RenewalOutcome>>);

impl Renewal {
    pub(super) const fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// Begins to verify `token`; the error is the answer to a client that did not wait for an earlier renewal.
    pub(super) fn start(&mut self, verifier: Verifier, token: String, id: Option<u64>) -> Result<(), Event> {
        if self.is_running() {
            return Err(CommandGate::not_renewed(
                id,
                "an earlier `renew` is still under way".into(),
            ));
        }
        self.0 = Some(Box::pin(async move {
            let outcome = verifier.verify(&token).await;
            (id, outcome.map_err(|error| error.to_string()))
        }));
        Ok(())
    }

    /// Ready once for each renewal. Pending without one notes no waker.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<RenewalOutcome> {
        let Some(running) = &mut self.0 else {
            return Poll::Pending;
        };
        let outcome = ready!(running.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(outcome)
    }
}
