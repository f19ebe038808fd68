//! What the machine and the servers say of themselves: /proc, /metrics, versions.
