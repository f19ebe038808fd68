//! Faults on cue, and how the cluster healed.
