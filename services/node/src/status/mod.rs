//! The state of a cluster for operators: what one node answers on `GET /status`, several answers as one, and their form as text.
//! Not the asking (`command::status`, `command::top`).

mod merge;
mod report;
mod source;
mod text;

pub(crate) use report::{Status, Unreachable};
pub(crate) use source::StatusSource;
pub(crate) use text::lines;
