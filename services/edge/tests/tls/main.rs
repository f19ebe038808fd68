//! TLS of a port, with rustls as its client: bytes, certificates, clients' certificates, tickets, and bytes that are no TLS.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bytes;
mod certificates;
mod garbage;
mod peers;
