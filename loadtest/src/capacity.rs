//! The highest rate that keeps the thresholds, by bisection.
