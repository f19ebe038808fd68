//! Server-sent events and long polling, as a client that gets no WebSocket through uses them: the same sessions, the same
//! outcomes, any node for each request, and the proxies of other people in between.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod client;
mod commands;
mod poll;
mod proxies;
mod sse;
