//! A worker's work: connect, send, receive, check, over any driver. It knows its share of a scenario. It does not know
//! other workers or faults.

mod abuse;
mod call;
mod calls;
#[cfg(test)]
mod fake;
mod flow;
mod idle;
mod oracle;
mod pacer;
mod pair;
mod peer;
mod populations;
mod rooms;
mod schedule;
mod sdp;
mod share;
mod stamp;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use populations::Populations;
