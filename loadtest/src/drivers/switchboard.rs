//! The driver of switchboard.
