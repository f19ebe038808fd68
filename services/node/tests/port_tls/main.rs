//! TLS of a real node's ports: its clients, its operators, its memory, and those who attack it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod floods;
mod idle;
mod operators;
mod secure;
