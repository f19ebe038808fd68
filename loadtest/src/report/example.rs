//! A recorded load for the tests: two short runs on two nodes, one of which is killed. `example.json` has only four
//! metrics and every fifth point of the recovery curves.

use crate::results::Results;

/// The load.
pub(super) fn results() -> Results {
    serde_json::from_str(include_str!("example.json")).unwrap()
}
