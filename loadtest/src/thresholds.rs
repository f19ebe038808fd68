//! What must hold, as people write it, and whether it did.
