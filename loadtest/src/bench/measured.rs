//! What was measured.

use super::plan::Row;
use crate::results::Results;

/// What was measured in a group, row by row; `None` for a server that is not installed.
pub(super) type Measured<'a> = Vec<(&'a Row, Option<Results>)>;
