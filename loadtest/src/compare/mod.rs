//! Two results beside each other: medians, spread, and whether the difference is more than chance.
