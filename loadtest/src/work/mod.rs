//! A worker's work: connect, send, hear, check, over any driver. It knows its share of a scenario and nothing of
//! other workers, nor of what is done to the cluster meanwhile.

mod abuse;
mod call;
mod calls;
#[cfg(test)]
mod fake;
mod flow;
mod idle;
mod judge;
pub(crate) mod pacer;
mod pair;
mod peer;
mod schedule;
mod sdp;
mod share;
mod stamp;
mod streams;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use whole::ScenarioWork;
