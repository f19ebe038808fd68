//! The servers that are started for a run, as children on free ports.

pub(crate) mod rivals;
