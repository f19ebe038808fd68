//! Whether this machine can make the load at all, with the fix named where it cannot.
