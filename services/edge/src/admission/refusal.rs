//! A refused request: the answer, and the reason under which it is counted.

use switchboard_telemetry::RefusalReason;

use crate::{problem::Problem, state::Edge};

/// A refusal that is not counted yet.
#[must_use]
pub(crate) struct Refusal {
    reason: RefusalReason,
    problem: Problem,
}

impl Refusal {
    pub(crate) const fn new(reason: RefusalReason, problem: Problem) -> Self {
        Self { reason, problem }
    }

    /// Counts the refusal and returns the document to answer with.
    pub(crate) fn counted(self, edge: &Edge) -> Problem {
        edge.telemetry.connect_refused(self.reason);
        self.problem
    }
}
