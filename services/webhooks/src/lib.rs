//! Webhooks: an app's backend gets the events of the cluster as signed HTTP requests (Standard Webhooks), each at least
//! once, those of one peer in order.
//!
//! The way of one event:
//! 1. `observer` puts it into the node's bounded queue. It never waits.
//! 2. `writer` appends it to the event stream of each endpoint that wants it (`switchboard_core::EventStreams`).
//! 3. `delivery`, one task for each endpoint, reads its share of the stream into a `window`, and sends the first event of
//!    each peer. The next one follows when the endpoint has answered with success.
//! 4. An event that is refused too often, or too old, becomes a dead event, which an operator can replay.
//!
//! Not here: how streams are kept (`switchboard_core::EventStreams`), and what happened (`switchboard_core::Observer`).

mod backlogs;
mod backoff;
mod config;
mod delivery;
mod endpoint;
mod error;
mod event;
mod gate;
mod observer;
mod request;
mod secrets;
mod service;
mod signature;
mod window;
mod writer;

pub use config::{MAX_ENDPOINTS, WebhooksConfig};
pub use endpoint::{Endpoint, EndpointConfig};
pub use error::{EndpointError, UnknownEndpoint, WebhooksError};
pub use event::EventKind;
pub use service::{EndpointStatus, Webhooks};
pub use signature::{SecretError, SigningSecret, sign};
