//! The transports, each a file or folder: how a connection begins over HTTP and how its frames are carried. What
//! the loop asks of them is `crate::connection::transport`.

pub(crate) mod poll;
pub(crate) mod sse;
pub(crate) mod websocket;
