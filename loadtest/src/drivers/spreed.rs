//! The driver of spreed.
